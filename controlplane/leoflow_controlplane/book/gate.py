"""How many runs of a DAG, or of a backfill, may be under way at once, and which wait for that."""

from __future__ import annotations

from collections import deque

from leoflow_controlplane.book.heldrun import HeldRun


class Gate:
    """Lets runs through in the order in which they came, and none while its DAG or, if it is that
    of a backfill, the backfill is paused."""

    def __init__(self, limit: int, *, dag_is_paused: bool, is_paused: bool = False) -> None:
        self.limit = limit
        self.dag_is_paused = dag_is_paused
        self.is_paused = is_paused
        self.running: set[int] = set()
        self._queued: deque[HeldRun] = deque()

    @property
    def queued(self) -> int:
        """How many wait."""
        return len(self._queued)

    def join(self, run: HeldRun) -> None:
        """Let a run wait at the end."""
        self._queued.append(run)

    def next(self) -> HeldRun | None:
        """Take out the run that may start now; None if there is none."""
        shut = self.dag_is_paused or self.is_paused
        while self._queued and not shut and len(self.running) < self.limit:
            run = self._queued.popleft()
            if run.facts.state == "queued":
                self.running.add(run.pk)
                return run
        return None

    def leave(self, run: HeldRun) -> None:
        """Note that a run is under way no more."""
        self.running.discard(run.pk)
