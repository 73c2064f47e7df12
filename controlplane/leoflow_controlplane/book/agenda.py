"""The instants at which something is due. Knows what is due at them, not what is to be done."""

from __future__ import annotations

import heapq
from itertools import count

from leoflow_controlplane.book.heldrun import HeldRun, OpenTry

Due = HeldRun | OpenTry

# Instants that may be left out, beside as many as those that count, before all of them go.
SPARE = 1000


class Agenda:
    """Runs and tries by the instants at which they have to be looked at.

    An instant that is no longer the one of its run or try is left out when its turn comes, or when
    there are many: each would keep its run in memory until then.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Due]] = []
        self._numbers = count()
        self._most = SPARE

    def note_try(self, held: OpenTry) -> None:
        """Have a try looked at when its deadline has passed."""
        if held.deadline_at is not None:
            self._push(held.deadline_at, held)

    def note_run(self, run: HeldRun) -> None:
        """Have a run looked at when a retry or its timeout is due."""
        due_at = run.live.next_due()
        if due_at != run.due_at:
            run.due_at = due_at
            if due_at is not None:
                self._push(due_at, run)

    def next_due(self) -> float | None:
        """Give the first instant at which something is due, None if nothing is."""
        while self._heap:
            at, _, due = self._heap[0]
            if _counts(at, due):
                return at
            heapq.heappop(self._heap)
        return None

    def take_due(self, now: float) -> list[Due]:
        """Take out what is due, in order; its instants are forgotten."""
        found = []
        while (at := self.next_due()) is not None and at <= now:
            due = heapq.heappop(self._heap)[2]
            if isinstance(due, HeldRun):
                due.due_at = None
            else:
                due.deadline_at = None
            found.append(due)
        return found

    def _push(self, at: float, due: Due) -> None:
        heapq.heappush(self._heap, (at, next(self._numbers), due))
        if len(self._heap) > self._most:
            self._heap = [entry for entry in self._heap if _counts(entry[0], entry[2])]
            heapq.heapify(self._heap)
            self._most = 2 * len(self._heap) + SPARE


def _counts(at: float, due: Due) -> bool:
    """Say whether an instant is still the one at which its run or try has to be looked at."""
    if isinstance(due, HeldRun):
        return due.due_at == at
    return due.deadline_at == at and not due.is_gone
