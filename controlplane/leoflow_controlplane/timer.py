"""Wait for an instant of the wall clock, which may be set forward or back meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

# A clock that was set is seen after as long as this at most: it rings no bell.
LONGEST_WAIT_SECONDS = 10.0


class Timer:
    """Knows the first instant at which something is due."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._due: float | None = None
        self._changed = asyncio.Event()

    def note(self, due: float | None) -> None:
        """Take in that something is due at an instant. Waking too early costs one look."""
        if due is not None and (self._due is None or due < self._due):
            self._due = due
            self._changed.set()

    async def come_due(self) -> None:
        """Wait until something is due, and forget when: who looks is told anew."""
        while self._due is None or self._due > self._clock():
            self._changed.clear()
            wait = None
            if self._due is not None:
                wait = min(max(0.0, self._due - self._clock()), LONGEST_WAIT_SECONDS)
            # asyncio.wait_for() of Python 3.11 forgets to be cancelled if the event is set just then.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._changed.wait()
        self._due = None
