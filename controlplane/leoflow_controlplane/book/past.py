"""How the DAG's previous run stands, for the tasks that depend on it."""

from __future__ import annotations

from typing import NamedTuple

from leoflow_controlplane.book.book import Book
from leoflow_controlplane.book.dagversion import DagVersion
from leoflow_controlplane.book.heldrun import HeldRun
from leoflow_controlplane.liverun.liverun import LiveRun
from leoflow_controlplane.model import FINISHED_WELL, TaskState


class Snapshot(NamedTuple):
    """The states of the tasks of a run that is over, by task_id and each of its instances."""

    version: DagVersion
    states: dict[str, list[TaskState | None]]


class PreviousRun:
    """Implements liverun's Past. Looks at the run in memory for as long as it is there."""

    def __init__(self, book: Book, pk: int) -> None:
        self._book = book
        self.pk = pk
        self._snapshot: Snapshot | None = None

    def state(self, task_id: str) -> TaskState | None:
        """Give the state of a task; one that the previous run did not have holds up nobody."""
        live = self._live()
        if live is not None:
            return live.task_state(task_id) if task_id in live.plan.position else "success"
        snapshot = self._look()
        return "success" if snapshot is None else _state(snapshot, task_id)

    def downstream_done(self, task_id: str) -> bool:
        """Say whether all that is directly downstream of a task ended as success or skipped."""
        live = self._live()
        if live is not None:
            return task_id not in live.plan.position or live.downstream_done(task_id)
        snapshot = self._look()
        if snapshot is None or task_id not in snapshot.version.plan.position:
            return True
        plan = snapshot.version.plan
        below = plan.downstream[plan.position[task_id]]
        names = [plan.tasks[number].task_id for number in below]
        return all(_state(snapshot, name) in FINISHED_WELL for name in names)

    def remember(self, run: HeldRun) -> None:
        """Note how the run stands, which is about to leave the memory."""
        states: dict[str, list[TaskState | None]] = {}
        for instance in run.live.instances:
            states.setdefault(instance.task_id, []).append(instance.state)
        self._snapshot = Snapshot(run.version, states)

    def look_further_back(self, pk: int | None) -> None:
        """Look at the run before, now that this one is deleted; None: nobody is held up."""
        self._snapshot = None
        if pk is not None:
            self.pk = pk

    def _live(self) -> LiveRun | None:
        run = self._book.runs_by_pk.get(self.pk)
        return None if run is None else run.live

    def _look(self) -> Snapshot | None:
        """Give how the run stood; None if it was deleted meanwhile, and holds up nobody."""
        if self._snapshot is None:
            found = self._book.store.read_states(self._book.connection, self.pk)
            if found is not None:
                self._snapshot = Snapshot(self._book.versions.get(found[0]), found[1])
        return self._snapshot


def _state(snapshot: Snapshot, task_id: str) -> TaskState | None:
    states = [state for state in snapshot.states.get(task_id, ()) if state != "removed"]
    return next((state for state in states if state not in FINISHED_WELL), "success")
