"""Names by the instants at which they have to be looked at. Knows nothing of what they name."""

from __future__ import annotations

import heapq
from collections.abc import Hashable
from typing import Generic, TypeVar

N = TypeVar("N", bound=Hashable)


class Alarm(Generic[N]):
    """Each name has one instant at most; setting another one replaces it."""

    def __init__(self) -> None:
        self._at: dict[N, float] = {}
        self._heap: list[tuple[float, int, N]] = []
        self._count = 0

    def __contains__(self, name: N) -> bool:
        return name in self._at

    def set(self, name: N, at: float | None) -> None:
        """Have ``name`` looked at when it is ``at``; None: not again."""
        self._at.pop(name, None)
        if at is not None:
            self._at[name] = at
            self._count += 1
            heapq.heappush(self._heap, (at, self._count, name))

    def next(self) -> float | None:
        """Give the first instant, None if there is none."""
        while self._heap:
            at, _, name = self._heap[0]
            if self._at.get(name) == at:
                return at
            heapq.heappop(self._heap)
        return None

    def take(self, now: float, most: int) -> list[N]:
        """Take out the names whose instant has come, in order, and no more than ``most``."""
        found: list[N] = []
        while len(found) < most and (at := self.next()) is not None and at <= now:
            name = heapq.heappop(self._heap)[2]
            del self._at[name]
            found.append(name)
        return found
