"""How often and how long a request is tried again. It knows nothing of HTTP but Retry-After."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TypeVar

from leoflow_builder.registry.failure import GaveUp, Temporary

T = TypeVar("T")


@dataclass(frozen=True)
class RetryPolicy:
    """``attempts`` is of each request or blob, the first included. ``budget_seconds`` is what the
    waits of all requests of one `Retry` may add up to."""

    attempts: int = 6
    budget_seconds: float = 300.0
    first_delay_seconds: float = 0.5
    longest_delay_seconds: float = 30.0

    def delay_seconds(self, failures: int, chance: float) -> float:
        """Return how long to wait after so many failures; ``chance`` is in [0, 1)."""
        longest = min(self.first_delay_seconds * 2.0 ** (failures - 1), self.longest_delay_seconds)
        return longest * (1 + chance) / 2


class Retry:
    """Runs operations until they succeed, fail for good, or the budget is spent. Thread-safe."""

    def __init__(
        self,
        policy: RetryPolicy = RetryPolicy(),
        sleep: Callable[[float], object] | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.policy = policy
        self._interrupted = threading.Event()
        self._sleep = sleep
        self._chance = chance
        self._left_seconds = policy.budget_seconds
        self._lock = threading.Lock()

    def run(self, operation: Callable[[], T]) -> T:
        """Return what the operation returns; GaveUp once Temporary was raised too often."""
        failures = 0
        while True:
            try:
                return operation()
            except Temporary as error:
                failures += 1
                self._wait(self._next_delay(failures, error), error)

    def interrupt(self) -> None:
        """End all waits that are under way: what waits for another attempt fails with GaveUp."""
        interrupted, self._interrupted = self._interrupted, threading.Event()
        interrupted.set()

    def _wait(self, seconds: float, error: Temporary) -> None:
        if self._sleep is not None:
            self._sleep(seconds)
        elif self._interrupted.wait(seconds):
            raise GaveUp(f"{error}\nGave up, as something else failed") from error

    def _next_delay(self, failures: int, error: Temporary) -> float:
        if failures >= self.policy.attempts:
            raise GaveUp(f"{error}\nGave up after {failures} attempts. Try again later") from error
        delay = self.policy.delay_seconds(failures, self._chance())
        delay = max(delay, error.retry_after_seconds or 0.0)
        with self._lock:
            if delay > self._left_seconds:
                raise GaveUp(
                    f"{error}\nGave up: the next attempt would be in {delay:.0f} s, and of the "
                    f"{self.policy.budget_seconds:.0f} s for waiting {self._left_seconds:.0f} s "
                    "are left. Try again later"
                ) from error
            self._left_seconds -= delay
        return delay


def retry_after_seconds(header: str | None, now: float) -> float | None:
    """Read Retry-After, seconds or a date, against the current Unix time."""
    if not header:
        return None
    try:
        return max(0.0, float(int(header)))
    except (ValueError, OverflowError):
        pass
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - now)
    except (ValueError, OverflowError):
        return None
