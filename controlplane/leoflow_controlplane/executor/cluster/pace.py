"""How fast calls may follow one another, and how long to wait after one that failed."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

# So much of a second's calls may be made at once after a rest.
BURST_SECONDS = 0.25
PAUSES_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)


class Pace:
    """Lets ``rate`` calls a second begin, in the order in which they ask."""

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._step = 1.0 / rate
        self._burst = BURST_SECONDS
        self._next = 0.0

    def take_turn(self) -> float:
        """Take the next turn, and give the seconds to wait for it."""
        now = self._clock()
        self._next = max(self._next, now - self._burst) + self._step
        return max(0.0, self._next - now)

    def hold(self, seconds: float) -> None:
        """Let no turn that is asked for from now on come within ``seconds``."""
        self._next = max(self._next, self._clock() + seconds)


def pause(attempt: int) -> float:
    """Give the seconds to wait after the attempt of a number, from 0; not the same for all."""
    longest = PAUSES_SECONDS[min(attempt, len(PAUSES_SECONDS) - 1)]
    return longest * random.uniform(0.5, 1.0)
