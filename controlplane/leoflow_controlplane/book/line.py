"""Who waits for a place, in order, and who is held up by a limit of its DAG or task.

What is held up costs nothing until a place is free: it is not looked at again and again.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from typing import Literal, NamedTuple

from leoflow_controlplane.book.heldrun import HeldRun
from leoflow_controlplane.liverun.instance import Instance

HeldUp = Literal["dag", "task", "run_task", "try"]
_Place = tuple[str | int, str] | tuple[int, str, int]


class Waiting(NamedTuple):
    """A task instance that may start as soon as there is a place for it."""

    turn: int
    run: HeldRun
    instance: Instance


class Line:
    """The task instances that wait for a place of one kind, longest wait first.

    ``held_up`` says which limit a waiting one is held up by, None if by none.
    """

    def __init__(self, held_up: Callable[[Waiting], HeldUp | None]) -> None:
        self._held_up = held_up
        self._turn = 0
        # How many wait.
        self.length = 0
        # Of each DAG those that wait, and the DAGs that are not held up by their first one. With
        # none of these there is nobody who could be next.
        self._lanes: dict[str, list[Waiting]] = {}
        self.open: list[tuple[int, str]] = []
        self._shut: set[str] = set()
        self._parked: dict[_Place, deque[Waiting]] = {}

    def join(self, run: HeldRun, instance: Instance) -> None:
        """Let a task instance wait at the end."""
        self._turn += 1
        self._enter(Waiting(self._turn, run, instance))

    def next(self) -> Waiting | None:
        """Take out who is next and held up by nothing; None if there is nobody."""
        while self.open:
            turn, dag_id = self.open[0]
            lane = self._lanes.get(dag_id)
            if not lane or lane[0].turn != turn or dag_id in self._shut:
                heapq.heappop(self.open)
                continue
            waiting = lane[0]
            cause = self._held_up(waiting) if _waits(waiting) else None
            if cause == "dag":
                self._shut.add(dag_id)
                continue
            self._leave(dag_id, lane)
            if cause is not None:
                place = _place(cause, waiting.run, waiting.instance)
                self._parked.setdefault(place, deque()).append(waiting)
                self.length += 1
            elif _waits(waiting):
                return waiting
            if cause in (None, "try"):
                # It does not take the place that it may have been freed for.
                self._free_task(waiting.run, waiting.instance)
        return None

    def free(self, run: HeldRun, instance: Instance) -> None:
        """Let those try again that a limit held up within which an instance has left a place."""
        if self._shut or self._parked:
            self.free_dag(run.key.dag_id)
            self._free_task(run, instance)

    def free_dag(self, dag_id: str) -> None:
        """Look again at a DAG that was held up as a whole."""
        if dag_id in self._shut:
            self._shut.discard(dag_id)
            lane = self._lanes.get(dag_id)
            if lane:
                heapq.heappush(self.open, (lane[0].turn, dag_id))

    def free_try(self, run: HeldRun, instance: Instance) -> None:
        """Let an instance try again that was held up by a try of its own."""
        if self._parked:
            self._free(_place("try", run, instance))

    def _free_task(self, run: HeldRun, instance: Instance) -> None:
        """Let one of those that a task's limit held up try again."""
        for cause in ("task", "run_task"):
            self._free(_place(cause, run, instance))

    def _free(self, place: _Place) -> None:
        parked = self._parked.get(place)
        if parked is None:
            return
        while parked:
            waiting = parked.popleft()
            self.length -= 1
            if _waits(waiting):
                self._enter(waiting)
                break
        if not parked:
            del self._parked[place]

    def _enter(self, waiting: Waiting) -> None:
        dag_id = waiting.run.key.dag_id
        lane = self._lanes.setdefault(dag_id, [])
        heapq.heappush(lane, waiting)
        self.length += 1
        if lane[0] is waiting and dag_id not in self._shut:
            heapq.heappush(self.open, (waiting.turn, dag_id))

    def _leave(self, dag_id: str, lane: list[Waiting]) -> None:
        heapq.heappop(self.open)
        heapq.heappop(lane)
        self.length -= 1
        if lane:
            heapq.heappush(self.open, (lane[0].turn, dag_id))
        else:
            del self._lanes[dag_id]


def _waits(waiting: Waiting) -> bool:
    return waiting.instance.state == "scheduled"


def _place(cause: str, run: HeldRun, instance: Instance) -> _Place:
    if cause == "try":
        return (run.pk, instance.task_id, instance.map_index)
    if cause == "task":
        return (run.key.dag_id, instance.task_id)
    return (run.pk, instance.task_id)
