"""Wakes those who wait for something to happen in a run. Knows nothing of what happens."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from weakref import WeakValueDictionary

from leoflow_controlplane.model import RunKey


class Bell:
    """Rings for runs. Take `next_ring` before looking, so that no ring is missed."""

    def __init__(self) -> None:
        # A ring lasts for as long as somebody holds it: who leaves need not say so.
        self._waiting: WeakValueDictionary[RunKey, asyncio.Event] = WeakValueDictionary()

    @property
    def waiting(self) -> int:
        """How many runs somebody waits for."""
        return len(self._waiting)

    def next_ring(self, key: RunKey) -> asyncio.Event:
        """Return what the next ring for a run sets."""
        return self._waiting.setdefault(key, asyncio.Event())

    def ring(self, keys: Iterable[RunKey]) -> None:
        """Wake all who wait for one of the runs."""
        if self._waiting:
            for key in keys:
                event = self._waiting.pop(key, None)
                if event is not None:
                    event.set()

    def ring_all(self) -> None:
        """Wake everyone who waits."""
        self.ring(list(self._waiting))
