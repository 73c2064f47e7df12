"""Decide about the instances of one task that nothing was decided about yet."""

from __future__ import annotations

from leoflow_controlplane.liverun.branching import Branching
from leoflow_controlplane.liverun.facts import Past
from leoflow_controlplane.liverun.ledger import Ledger, TaskLedger
from leoflow_controlplane.liverun.mapping import Mapping
from leoflow_controlplane.liverun.reason import explain_rule, explain_scope
from leoflow_controlplane.liverun.trigger import (
    Outcome,
    evaluate_setups,
    evaluate_trigger_rule,
)
from leoflow_controlplane.model import FINISHED_WELL, NOT_MAPPED, TaskState

_STATE_OF: dict[Outcome, TaskState] = {"skip": "skipped", "upstream_failed": "upstream_failed"}


class Decider:
    """Looks at one task at a time. ``waiting`` are those that wait for the run before."""

    def __init__(self, ledger: Ledger, branching: Branching, mapping: Mapping, past: Past) -> None:
        self._ledger = ledger
        self._branching = branching
        self._mapping = mapping
        self._past = past
        self.waiting: set[int] = set()

    def decide(self, task: TaskLedger, now: float) -> None:
        """Schedule the undecided instances of a task, end them, or leave them waiting."""
        outcome, reason = self.judge(task)
        self.waiting.discard(task.position)
        if outcome == "run":
            self._schedule(task, now)
        elif outcome != "wait":
            self.end_undecided(task, _STATE_OF[outcome], reason, now)

    def judge(self, task: TaskLedger) -> tuple[Outcome, str | None]:
        """Say what is to become of the undecided instances of a task, but for its past."""
        plan, position = self._ledger.plan, task.position
        spec = plan.tasks[position]
        if branch := self._branching.not_chosen_by(position):
            return "skip", not_chosen(branch)
        if task.scope.total and task.tally.total and spec.trigger_rule != "always":
            outcome = evaluate_setups(task.scope)
            if outcome in _STATE_OF:
                return outcome, explain_scope(self._ledger, position, outcome)
            if outcome == "wait":
                # As in Airflow its own rule may decide against it before the setups are done.
                own = evaluate_trigger_rule(spec.trigger_rule, task.tally, task.setups)
                if own not in _STATE_OF:
                    return "wait", None
        outcome = evaluate_trigger_rule(spec.trigger_rule, task.tally, task.setups)
        if outcome in _STATE_OF:
            return outcome, explain_rule(self._ledger, position, outcome)
        return outcome, None

    def note_waiting(self, task: TaskLedger) -> None:
        """Find out, without deciding anything, whether a task waits for the run before."""
        if task.undecided and self.judge(task)[0] == "run" and self._is_held_by_past(task):
            self.waiting.add(task.position)

    def end_undecided(
        self, task: TaskLedger, state: TaskState, reason: str | None, now: float
    ) -> None:
        """Give every undecided instance of a task its last state."""
        for instance in sorted(task.undecided.values(), key=lambda item: item.map_index):
            self._ledger.move(instance, state, reason, finished_at=now)

    def _schedule(self, task: TaskLedger, now: float) -> None:
        if self._is_held_by_past(task):
            self.waiting.add(task.position)
            return
        if self._ledger.plan.tasks[task.position].expansion is not None:
            self._mapping.expand(task, now)
        for instance in sorted(task.undecided.values(), key=lambda item: item.map_index):
            self._ledger.move(instance, "scheduled", scheduled_at=now)

    def _is_held_by_past(self, task: TaskLedger) -> bool:
        spec = self._ledger.plan.tasks[task.position]
        if not spec.depends_on_past and not spec.wait_for_downstream:
            return False
        if self._past.state(spec.task_id, NOT_MAPPED) not in FINISHED_WELL:
            return True
        return spec.wait_for_downstream and not self._past.downstream_done(spec.task_id)


def not_chosen(branch: str) -> str:
    """Say that a branch sent the run another way."""
    return f"'{branch}' did not choose to go on with it"
