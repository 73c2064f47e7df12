"""Slows down who tries tokens. Not what keeps tokens safe (nobody guesses 256 bits), but what keeps
those who try from keeping the store busy."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

MOST_FAILURES = 20
WINDOW_SECONDS = 60.0
MAX_ADDRESSES = 4096


class Attempts:
    """Counts tokens that were refused, by address, in windows of a minute."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._failures: OrderedDict[str, tuple[float, int]] = OrderedDict()

    def seconds_to_wait(self, address: str) -> float:
        """Give how long ``address`` has to wait before it may try again; 0: not at all."""
        since, count = self._failures.get(address, (0.0, 0))
        left = since + WINDOW_SECONDS - self._clock()
        return left if count >= MOST_FAILURES and left > 0 else 0.0

    def failed(self, address: str) -> None:
        """Count a token that was refused."""
        now = self._clock()
        since, count = self._failures.pop(address, (now, 0))
        self._failures[address] = (now, 1) if now - since > WINDOW_SECONDS else (since, count + 1)
        if len(self._failures) > MAX_ADDRESSES:
            self._failures.popitem(last=False)
