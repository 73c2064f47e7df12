"""Decide about the instances of one task that nothing was decided about yet."""

from __future__ import annotations

from leoflow_controlplane.liverun.branching import Branching
from leoflow_controlplane.liverun.facts import Past
from leoflow_controlplane.liverun.instance import Instance
from leoflow_controlplane.liverun.ledger import Ledger, TaskLedger
from leoflow_controlplane.liverun.mapping import Mapping
from leoflow_controlplane.liverun.reason import explain_rule, explain_scope
from leoflow_controlplane.liverun.trigger import (
    ANY_FAILED,
    DONE,
    NONE,
    SUCCESS,
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
        rule = plan.rules[position]
        if branch := self._branching.not_chosen_by(position):
            return "skip", not_chosen(branch)
        scope: Outcome = "run"
        if rule != "always" and task.scope is not NONE:
            scope = evaluate_setups(task.scope)
        if scope in _STATE_OF:
            return scope, explain_scope(self._ledger, position, scope)
        outcome = evaluate_trigger_rule(rule, task.tally, task.setups)
        if outcome in _STATE_OF:
            return outcome, explain_rule(self._ledger, position, outcome)
        # As in Airflow its own rule may decide against it, but not for it, before the setups did.
        if "wait" in (scope, outcome):
            return "wait", None
        return self._judge_sources(position) if plan.sources[position] else ("run", None)

    def _judge_sources(self, position: int) -> tuple[Outcome, str | None]:
        """Hold a task up until what it is expanded over is done, whatever its trigger rule.

        A mapped task can be expanded over even if some of its instances failed.
        """
        for source in self._ledger.plan.sources[position]:
            task = self._ledger.tasks[source]
            if not task.flags & DONE:
                return "wait", None
            if not task.is_expanded() and not task.flags & SUCCESS:
                state = task.instances[NOT_MAPPED].state
                name = self._ledger.plan.tasks[source].task_id
                outcome: Outcome = "upstream_failed" if task.flags & ANY_FAILED else "skip"
                return outcome, f"nothing to expand it over: upstream '{name}' {state}"
        return "run", None

    def note_waiting(self, task: TaskLedger) -> None:
        """Find out, without deciding anything, whether a task waits for the run before."""
        if task.undecided and self._is_held_by_past(task) and self.judge(task)[0] == "run":
            self.waiting.add(task.position)

    def is_waiting(self) -> bool:
        """Say whether any task still waits for the run before."""
        self.waiting = {number for number in self.waiting if self._ledger.tasks[number].undecided}
        return bool(self.waiting)

    def end_undecided(
        self, task: TaskLedger, state: TaskState, reason: str | None, now: float
    ) -> None:
        """Give every undecided instance of a task its last state."""
        for instance in sorted(task.undecided.values(), key=_by_index):
            self._ledger.move(instance, state, reason, finished_at=now)

    def follow_branch(self, position: int, now: float) -> None:
        """Skip what a branch leaves out, once it is done; anything that has started goes on."""
        reason = not_chosen(self._ledger.plan.tasks[position].task_id)
        for number in self._branching.left_out(position):
            task = self._ledger.tasks[number]
            if task.undecided or task.count("scheduled"):
                for instance in list(task.instances.values()):
                    if instance.state in (None, "scheduled"):
                        self._ledger.move(instance, "skipped", reason, finished_at=now)

    def _schedule(self, task: TaskLedger, now: float) -> None:
        if self._is_held_by_past(task):
            self.waiting.add(task.position)
            return
        if self._ledger.plan.tasks[task.position].expansion is not None:
            self._mapping.expand(task, now)
        for instance in sorted(task.undecided.values(), key=_by_index):
            branch = self._branching.not_chosen_by(task.position, instance.map_index)
            if branch:
                self._ledger.move(instance, "skipped", not_chosen(branch), finished_at=now)
            else:
                self._ledger.move(instance, "scheduled", scheduled_at=now)

    def _is_held_by_past(self, task: TaskLedger) -> bool:
        spec = self._ledger.plan.tasks[task.position]
        if not spec.depends_on_past and not spec.wait_for_downstream:
            return False
        if self._past.state(spec.task_id) not in FINISHED_WELL:
            return True
        return spec.wait_for_downstream and not self._past.downstream_done(spec.task_id)


def _by_index(instance: Instance) -> int:
    return instance.map_index


def not_chosen(branch: str) -> str:
    """Say that a branch sent the run another way."""
    return f"'{branch}' did not choose to go on with it"
