"""What the task prints, on its way to the container's own output and into the log.

Neither way may hold up the supervisor: an output that takes nothing is given up after a while, and
what it missed is counted and said.
"""

import _codecs
import posix
import time

MAX_LINE_BYTES = 16 * 1024
CHUNK_BYTES = 64 * 1024
# The largest pipe that a program without privileges can make, twice.
LAST_CHUNKS = 32
UNFINISHED_SECONDS = 0.5
STANDSTILL_SECONDS = 2.0
MAX_WAITING_BYTES = 1024 * 1024
NEVER = float("inf")

TYPE_CHECKING = False
if TYPE_CHECKING:
    from leoflow_agent.bash_output import LastLine
    from leoflow_agent.mask import Mask
    from leoflow_agent.outbox import Outbox


class Copy:
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


class Stream:
    """The reading end of the task's stdout or stderr; its lines go into the outbox.

    ``last_line`` is told all of it where that is wanted. With a ``mask`` whole lines go on, without
    the secrets in them.
    """

    def __init__(self, name: str, fd: int, copy_to: int, outbox: "Outbox") -> None:
        self.fd = fd
        self.copy = Copy(copy_to)
        self.last_line: LastLine | None = None
        self.due_at = NEVER
        self.mask: Mask | None = None
        self._name = name
        self._outbox = outbox
        self._rest = b""
        posix.set_blocking(fd, False)

    def read(self) -> "bool | None":
        """Take what can be read: True if something was, None if nothing yet, False at the end."""
        try:
            chunk = posix.read(self.fd, CHUNK_BYTES)
        except BlockingIOError:
            return None
        if chunk:
            if self.mask is None:
                self.copy.write(chunk)
            data = self._rest + chunk
            end = data.rfind(b"\n") + 1
            if end == 0 and len(data) > MAX_LINE_BYTES:
                end = len(data)
            self._log(data, end)
            self.due_at = time.monotonic() + UNFINISHED_SECONDS if self._rest else NEVER
        return bool(chunk)

    def show_unfinished(self) -> None:
        """Log a line without an end: a prompt, a bar of progress."""
        self._log(self._rest, len(self._rest))
        self.due_at = NEVER

    def finish(self) -> None:
        """Take what is left, however much others go on writing."""
        for _ in range(LAST_CHUNKS):
            if not self.read():
                break
        self._log(self._rest, len(self._rest), final=True)

    def _log(self, data: bytes, end: int, final: bool = False) -> None:
        # A character that is not complete yet stays behind.
        text, used = _codecs.utf_8_decode(data[:end], "replace", final)
        self._rest = data[used:]
        if used:
            if self.mask is not None:
                shown = self.mask.data(data[:used])
                text = shown.decode("utf-8", "replace")
                self.copy.write(shown)
            self._outbox.add_log(self._name, text, used)
            if self.last_line is not None:
                self.last_line.note(data[:used])
