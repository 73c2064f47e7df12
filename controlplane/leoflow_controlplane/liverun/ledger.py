"""The instances of a run and the tallies that are kept of them. Moves states, decides nothing.

Each move costs the same however many instances there are. It reaches the tasks downstream only
when it changes what they can see: that some instance of a task failed, that all of them are done.
"""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heappop, heappush
from typing import Any

from leoflow_controlplane.error import IllegalTransition, NotFound
from leoflow_controlplane.liverun.change import Added, Change, Dropped, Moved
from leoflow_controlplane.liverun.instance import MOVING, Instance
from leoflow_controlplane.liverun.plan import Plan
from leoflow_controlplane.liverun.trigger import (
    DONE,
    FAILED,
    NONE,
    SKIPPED,
    SUCCESS,
    UPSTREAM_FAILED,
    Tally,
)
from leoflow_controlplane.model import FINISHED, NOT_MAPPED, TRANSITIONS, TaskState


class TaskLedger:
    """The instances of one task, and the tallies of what its trigger rule looks at.

    ``tally`` is of the tasks directly upstream, ``setups`` of those among them that set up,
    ``scope`` of the setups further up. ``undecided`` are the instances with no state. ``version``
    grows whenever one of them changes.
    """

    __slots__ = (
        "counts",
        "flags",
        "instances",
        "position",
        "scope",
        "setups",
        "tally",
        "undecided",
        "unfinished",
        "version",
    )

    def __init__(self, position: int) -> None:
        self.position = position
        self.instances: dict[int, Instance] = {}
        self.undecided: dict[int, Instance] = {}
        self.counts: dict[TaskState | None, int] = {}
        self.flags = 0
        self.unfinished = 0
        self.version = 0
        self.tally = Tally()
        self.setups = NONE
        self.scope = NONE

    def count(self, state: TaskState | None) -> int:
        """Give the number of instances in ``state``."""
        return self.counts.get(state, 0)

    def is_expanded(self) -> bool:
        """Say whether there are instances in the place of the one that stands for all."""
        return NOT_MAPPED not in self.instances

    def sees_nothing(self) -> bool:
        """Say whether of all that its trigger rule looks at nothing has ended yet, and there is
        something: then no rule but ``always`` lets it do anything but wait."""
        return bool(self.tally.total) and not (self.tally.ended or self.scope.ended)

    def see_flags(self) -> int:
        """Sum up what the tasks downstream can see."""
        counts = self.counts
        return (
            (SUCCESS if counts.get("success") else 0)
            | (FAILED if counts.get("failed") else 0)
            | (UPSTREAM_FAILED if counts.get("upstream_failed") else 0)
            | (SKIPPED if counts.get("skipped") else 0)
            | (DONE if not self.unfinished else 0)
        )


class Ledger:
    """All instances of a run. ``unfinished`` and ``moving`` are how many of them are so."""

    def __init__(self, plan: Plan, instances: Iterable[Instance]) -> None:
        self.plan = plan
        self.tasks = [TaskLedger(position) for position in range(len(plan.tasks))]
        self.unfinished = 0
        self.moving = 0
        self._dirty: list[int] = []
        self._is_dirty: set[int] = set()
        self._changes: list[Change] = []
        for instance in instances:
            task = self.task(instance.task_id)
            task.instances[instance.map_index] = instance
            self._count(task, instance, 1)
        self._begin()

    def _begin(self) -> None:
        plan = self.plan
        for number, task in enumerate(self.tasks):
            task.tally.total = len(plan.upstream[number])
            if plan.setups_above[number]:
                task.setups = Tally(plan.setups_above[number])
        for scoped in plan.scoped.values():
            for number in scoped:
                task = self.tasks[number]
                if task.scope is NONE:
                    task.scope = Tally()
                task.scope.total += 1
        for task in self.tasks:
            if not task.unfinished or task.unfinished < len(task.instances):
                self._refresh(task)
        self._dirty.clear()
        self._is_dirty.clear()

    def task(self, task_id: str) -> TaskLedger:
        """Find a task; NotFound if the run has none of that name."""
        position = self.plan.position.get(task_id)
        if position is None:
            raise NotFound(f"this run has no task '{task_id}'")
        return self.tasks[position]

    def instance(self, task_id: str, map_index: int) -> Instance:
        """Find an instance; NotFound if the run has no such."""
        position = self.plan.position.get(task_id)
        if position is not None:
            instance = self.tasks[position].instances.get(map_index)
            if instance is not None:
                return instance
        self.task(task_id)
        raise NotFound(f"task '{task_id}' has no instance with map index {map_index}")

    def move(
        self, instance: Instance, state: TaskState | None, reason: str | None = None, **values: Any
    ) -> None:
        """Bring an instance into ``state``; IllegalTransition if the model has no such way.

        ``values`` are further fields to set. ``due_at`` is None unless it is among them.
        """
        old = instance.state
        if state not in TRANSITIONS[old]:
            raise IllegalTransition(
                f"task '{instance.task_id}' cannot go from '{old}' to '{state}'"
            )
        task = self.tasks[self.plan.position[instance.task_id]]
        instance.state, instance.reason, instance.due_at = state, reason, None
        for name, value in values.items():
            setattr(instance, name, value)
        self._recount(task, instance, old, state)
        self._changes.append(Moved(instance, old, state, reason))

    def add(self, instance: Instance) -> None:
        """Take in an instance that did not exist."""
        task = self.task(instance.task_id)
        task.instances[instance.map_index] = instance
        self._count(task, instance, 1)
        self._refresh(task)
        self._changes.append(Added(instance))

    def drop(self, instance: Instance) -> None:
        """Forget an instance."""
        task = self.task(instance.task_id)
        self._count(task, instance, -1)
        del task.instances[instance.map_index]
        self._changes.append(Dropped(instance))

    def note(self, change: Change) -> None:
        """Tell of a change of the run itself."""
        self._changes.append(change)

    def take_changes(self) -> list[Change]:
        """Give what changed since this was asked last."""
        changes, self._changes = self._changes, []
        return changes

    def touch(self, position: int) -> None:
        """Have a task looked at again."""
        if position not in self._is_dirty:
            self._is_dirty.add(position)
            heappush(self._dirty, position)

    def next_touched(self) -> TaskLedger | None:
        """Give the first task, in the order of the DAG, that has to be looked at again."""
        if not self._dirty:
            return None
        position = heappop(self._dirty)
        self._is_dirty.discard(position)
        return self.tasks[position]

    def _recount(
        self, task: TaskLedger, instance: Instance, old: TaskState | None, new: TaskState | None
    ) -> None:
        """Do what ``_count`` does, once for both states. Downstream sees ends only."""
        counts = task.counts
        counts[old] -= 1
        counts[new] = counts.get(new, 0) + 1
        task.version += 1
        if old is None:
            del task.undecided[instance.map_index]
        elif new is None:
            task.undecided[instance.map_index] = instance
        self.moving += (new in MOVING) - (old in MOVING)
        has_ended, had_ended = new in FINISHED, old in FINISHED
        if has_ended or had_ended:
            task.unfinished += had_ended - has_ended
            self.unfinished += had_ended - has_ended
            self._refresh(task)

    def _count(self, task: TaskLedger, instance: Instance, by: int) -> None:
        state = instance.state
        task.version += 1
        task.counts[state] = task.counts.get(state, 0) + by
        if state not in FINISHED:
            task.unfinished += by
            self.unfinished += by
        if state in MOVING:
            self.moving += by
        if state is None:
            if by > 0:
                task.undecided[instance.map_index] = instance
            else:
                del task.undecided[instance.map_index]

    def _refresh(self, task: TaskLedger) -> None:
        old, new = task.flags, task.see_flags()
        if old == new:
            return
        task.flags = new
        number = task.position
        for down in self.plan.downstream[number]:
            below = self.tasks[down]
            below.tally.shift(old, new)
            if below.setups is not NONE and self.plan.is_setup_of(number, down):
                below.setups.shift(old, new)
            self._touch_undecided(below)
        for down in self.plan.scoped.get(number, ()):
            self.tasks[down].scope.shift(old, new)
            self._touch_undecided(self.tasks[down])

    def _touch_undecided(self, task: TaskLedger) -> None:
        if task.undecided:
            self.touch(task.position)
