"""How the DAG's previous run stands, for the tasks that depend on it."""

from __future__ import annotations

from leoflow_controlplane.book.book import Book
from leoflow_controlplane.book.heldrun import HeldRun
from leoflow_controlplane.liverun.facts import NO_PAST, Past
from leoflow_controlplane.model import FINISHED, FINISHED_WELL, TaskState

# What a mapped task is told to be: the first of these that one of its instances is.
_WORST_FIRST: tuple[TaskState, ...] = ("failed", "upstream_failed")


class PreviousRun:
    """Implements liverun's Past. Looks at the run in memory for as long as it is there."""

    def __init__(self, book: Book, pk: int, states: dict[str, list[TaskState | None]]) -> None:
        self._book = book
        self._pk = pk
        self._states = states

    def state(self, task_id: str, map_index: int) -> TaskState | None:
        """Give the state of a task, of a mapped one that of the instance that stands worst."""
        states = self._all().get(task_id)
        if not states:
            # The previous version of the DAG had no such task.
            return "success"
        unfinished = [state for state in states if state not in FINISHED]
        bad = [state for state in _WORST_FIRST if state in states]
        return (bad or unfinished or states)[0]

    def downstream_done(self, task_id: str) -> bool:
        """Say whether all that is directly downstream of a task ended as success or skipped."""
        run = self._book.runs_by_pk.get(self._pk)
        states = self._all()
        return all(
            state in FINISHED_WELL
            for name in self._downstream.get(task_id, ())
            for state in states.get(name, ())
        )

    def remember(self, run: HeldRun) -> None:
        """Note how the run stands, which is about to leave the memory."""
        self._states = states_of(run)

    def _all(self) -> dict[str, list[TaskState | None]]:
        run = self._book.runs_by_pk.get(self._pk)
        return self._states if run is None else states_of(run)
