"""What the task prints, on its way to the container's own output.

An output that takes nothing is given up after a while, and what it missed is counted and said.
Imported with the first that is printed.
"""

import posix
import time

from leoflow_agent.stream import CHUNK_BYTES, STANDSTILL_SECONDS

MAX_WAITING_BYTES = 1024 * 1024


class Echo:
    """The container's own stdout or stderr; ``waiting`` is what it has not taken yet."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.waiting = b""
        self._moved_at = 0.0
        self._lost_bytes = 0
        self._broken = False

    def is_slow(self, now: float) -> bool:
        """Tell whether it is worth to wait for it: it lags behind, and it moves."""
        return bool(self.waiting) and now < self._moved_at + STANDSTILL_SECONDS

    def write(self, data: bytes = b"") -> None:
        """Write what it takes of what waits and of ``data``; never blocks."""
        if self._broken:
            return
        if len(self.waiting) > MAX_WAITING_BYTES:
            self._lost_bytes += len(data)
        else:
            self.waiting += data
        try:
            if not self._moved_at:
                posix.set_blocking(self.fd, False)
                self._moved_at = time.monotonic()
            while self.waiting:
                self.waiting = self.waiting[posix.write(self.fd, self.waiting[:CHUNK_BYTES]) :]
                self._moved_at = time.monotonic()
                if self._lost_bytes and not self.waiting:
                    from leoflow_agent import notice

                    self.waiting, self._lost_bytes = notice.unread(self._lost_bytes), 0
        except BlockingIOError:
            return
        except OSError:
            self._broken, self.waiting = True, b""
