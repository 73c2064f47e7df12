"""One run of a DAG as it goes on: every decision about it is taken here, and nothing else is done.

Methods take the instant and give what changed, in order. After one that raises, nothing changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal

from leoflow_controlplane.command import TaskSelection
from leoflow_controlplane.error import IllegalTransition
from leoflow_controlplane.liverun import intervention
from leoflow_controlplane.liverun.branching import Branching
from leoflow_controlplane.liverun.change import Change, RunMoved
from leoflow_controlplane.liverun.decider import Decider
from leoflow_controlplane.liverun.facts import NO_PAST, Past, RunFacts, Values
from leoflow_controlplane.liverun.instance import Instance
from leoflow_controlplane.liverun.ledger import Ledger
from leoflow_controlplane.liverun.mapping import Mapping, succeeded
from leoflow_controlplane.liverun.plan import Plan
from leoflow_controlplane.liverun.retry import Retries
from leoflow_controlplane.liverun.selection import select
from leoflow_controlplane.liverun.trigger import ANY_FAILED
from leoflow_controlplane.liverun.tryend import TryEnds
from leoflow_controlplane.model import FINISHED_RUN, FINISHED_WELL, NOT_MAPPED, RunState, TaskState
from leoflow_controlplane.verdict import Verdict

_STUCK = "the run could not go on: nothing runs, and nothing that is left may start"


class LiveRun:
    """An unfinished run, or a finished one that somebody changes.

    ``facts`` and ``instances`` are altered in place: they are what is to be written.
    """

    def __init__(
        self,
        plan: Plan,
        facts: RunFacts,
        instances: Iterable[Instance],
        values: Values,
        past: Past = NO_PAST,
        *,
        max_map_length: int = 1024,
        machinery_retries: int = 3,
    ) -> None:
        self.plan = plan if facts.selected is None else plan.alone(facts.selected)
        self.facts = facts
        self.ledger = Ledger(self.plan, instances)
        branching = Branching(self.plan, self.ledger, values)
        mapping = Mapping(self.ledger, values, max_map_length)
        self.decider = Decider(self.ledger, branching, mapping, past)
        self._retries = Retries(self.instances)
        self.ends = TryEnds(facts.key, self.ledger, branching, self._retries, machinery_retries)
        if facts.state == "running":
            for task in self.ledger.tasks:
                self.decider.note_waiting(task)

    @staticmethod
    def new_instances(plan: Plan, selected: str | None = None) -> list[Instance]:
        """Make the instances that a run begins with, in the order of the DAG."""
        tasks = plan.tasks if selected is None else [plan.tasks[plan.position[selected]]]
        return [Instance(task.task_id, max_tries=task.retries) for task in tasks]

    @property
    def instances(self) -> Iterator[Instance]:
        """All instances, in the order of the DAG."""
        for task in self.ledger.tasks:
            yield from task.instances.values()

    def instance(self, task_id: str, map_index: int = NOT_MAPPED) -> Instance:
        """Find an instance; NotFound if there is none."""
        return self.ledger.instance(task_id, map_index)

    def task_state(self, task_id: str) -> TaskState | None:
        """Give the state of a task as a whole, for the Past of the run after this one."""
        states = [item.state for item in self.ledger.task(task_id).instances.values()]
        alive = [state for state in states if state != "removed"]
        return next((state for state in alive if state not in FINISHED_WELL), alive[0])

    def downstream_done(self, task_id: str) -> bool:
        """Say whether all directly downstream of a task ended well, for the run after this one."""
        below = self.plan.downstream[self.ledger.task(task_id).position]
        names = [self.plan.tasks[number].task_id for number in below]
        return all(self.task_state(name) in FINISHED_WELL for name in names)

    def succeeded(self, task_id: str) -> list[int]:
        """List the instances of a task whose values, if they left any, make up the list that is
        read downstream, in order."""
        return succeeded(self.ledger.task(task_id))

    def start(self, now: float) -> list[Change]:
        """Begin a queued run; harmless if it has begun."""
        if self.facts.state == "queued":
            self.move_run("running", now)
            for task, rule in zip(self.ledger.tasks, self.plan.rules, strict=True):
                if task.undecided and (rule == "always" or not task.sees_nothing()):
                    self.ledger.touch(task.position)
        return self._settle(now)

    def hand_out(self, task_id: str, map_index: int, now: float) -> list[Change]:
        """Note that a scheduled instance goes to an executor, as a new try."""
        instance = self.ledger.instance(task_id, map_index)
        if instance.state != "scheduled":
            raise IllegalTransition(f"task '{task_id}' is '{instance.state}' and not scheduled")
        self.ledger.move(
            instance,
            "queued",
            try_number=instance.try_number + 1,
            started_at=None,
            finished_at=None,
        )
        return self._settle(now)

    def run(self, task_id: str, map_index: int, now: float) -> list[Change]:
        """Note that the task of a try runs; harmless when that is known or it is to stop."""
        instance = self.ledger.instance(task_id, map_index)
        if instance.state == "queued":
            self.ledger.move(instance, "running", started_at=now)
        return self._settle(now)

    def end(self, task_id: str, map_index: int, verdict: Verdict, now: float) -> list[Change]:
        """Take the verdict on the open try of an instance and follow it to the end of the graph.

        IllegalTransition if no try of it is open. One that is restarting begins anew instead.
        """
        instance = self.ledger.instance(task_id, map_index)
        if instance.state == "restarting":
            self.ledger.move(instance, None, started_at=None)
            self.ledger.touch(self.plan.position[task_id])
        elif instance.state in ("queued", "running"):
            self.ends.end(instance, verdict, now)
            position = self.plan.position[task_id]
            if self.plan.tasks[position].branch is not None:
                self.decider.follow_branch(position, now)
        else:
            raise IllegalTransition(f"task '{task_id}' is '{instance.state}': no try of it is open")
        return self._settle(now)

    def come_due(self, now: float) -> list[Change]:
        """Do what is due: tries again, and the end of a run that took too long."""
        timeout = self._times_out_at()
        if timeout is not None and timeout <= now:
            intervention.time_out(self, now)
        return self._settle(now)

    def next_due(self) -> float | None:
        """Give the first instant at which ``come_due`` has something to do, or None."""
        if self.facts.state != "running":
            return None
        retry_at = self._retries.next_due() if self._retries.waiting else None
        timed = self.plan.spec.dagrun_timeout_seconds is not None
        timeout_at = self._times_out_at() if timed else None
        if retry_at is None or timeout_at is None:
            return timeout_at if retry_at is None else retry_at
        return min(retry_at, timeout_at)

    def wake(self, now: float, task_ids: Iterable[str]) -> list[Change]:
        """Look again at tasks that may have waited for the DAG's previous run."""
        for task_id in task_ids:
            number = self.plan.position.get(task_id)
            if number in self.decider.waiting:
                self.ledger.touch(number)
        return self._settle(now)

    def cancel(self, now: float, reason: str = "the run was cancelled") -> list[Change]:
        """End the run as failed; only teardowns of what was set up still run."""
        if self.facts.state not in FINISHED_RUN and not self.facts.cancelled:
            intervention.give_up(self, now, reason)
        return self._settle(now)

    def clear(self, selection: TaskSelection, now: float) -> list[Change]:
        """Let instances run again, with as many retries as at first, and open the run."""
        intervention.clear(self, self.to_clear(selection), now)
        return self._settle(now)

    def set_states(
        self, selection: TaskSelection, state: Literal["success", "failed", "skipped"], now: float
    ) -> list[Change]:
        """Give instances a state by hand. What failed downstream because of them is cleared."""
        intervention.mark(self, self.to_mark(selection), state, now)
        return self._settle(now)

    def set_run_state(
        self, state: Literal["queued", "success", "failed"], now: float
    ) -> list[Change]:
        """End the run by hand, or have all of it run again."""
        if state == "queued":
            return self.clear(TaskSelection(), now)
        if state == "success":
            intervention.succeed(self, now)
        elif self.facts.state != "failed":
            intervention.give_up(self, now, "the run was marked failed")
        return self._settle(now)

    def to_clear(self, selection: TaskSelection) -> list[Instance]:
        """List what ``clear`` would clear."""
        return select(self.ledger, selection, with_setups=True)

    def to_mark(self, selection: TaskSelection) -> list[Instance]:
        """List what ``set_states`` would be about."""
        return select(self.ledger, selection)

    def move_run(
        self, state: RunState, now: float, reason: str | None = None, *, cancelled: bool = False
    ) -> None:
        """Bring the run into ``state``. Beginning and end follow from it."""
        facts = self.facts
        if state == "queued":
            facts.started_at = None
        elif state == "running" and facts.state != "running":
            facts.started_at = now
        facts.finished_at = now if state in FINISHED_RUN else None
        facts.state, facts.reason, facts.cancelled = state, reason, cancelled
        self.ledger.note(RunMoved(state, reason, cancelled))

    def _settle(self, now: float) -> list[Change]:
        ledger = self.ledger
        if self.facts.state == "running":
            if self._retries.waiting:
                for instance in self._retries.take_due(now):
                    ledger.move(instance, "scheduled", scheduled_at=now)
            while (task := ledger.next_touched()) is not None:
                if task.undecided:
                    self.decider.decide(task, now)
            if not (ledger.unfinished and ledger.moving):
                self._finish(now)
        return ledger.take_changes()

    def _times_out_at(self) -> float | None:
        seconds, started_at = self.plan.spec.dagrun_timeout_seconds, self.facts.started_at
        if self.facts.state != "running" or seconds is None or started_at is None:
            return None
        return started_at + seconds

    def _finish(self, now: float) -> None:
        """End a run of which nothing goes on by itself, or nothing is left."""
        if self.ledger.unfinished and not self.decider.is_waiting():
            for task in self.ledger.tasks:
                self.decider.end_undecided(task, "skipped", _STUCK, now)
            self.move_run("failed", now, _STUCK)
        elif not self.ledger.unfinished:
            reason = self.facts.reason if self.facts.cancelled else None
            self.move_run(self._outcome(), now, reason, cancelled=self.facts.cancelled)

    def _outcome(self) -> RunState:
        failed = any(self.ledger.tasks[leaf].flags & ANY_FAILED for leaf in self.plan.leaves)
        return "failed" if failed or self.facts.cancelled else "success"
