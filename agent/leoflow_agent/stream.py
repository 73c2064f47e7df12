"""What the task prints, on its way into the log and to the container's own output.

Neither way may hold up the supervisor.
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
NEVER = float("inf")

TYPE_CHECKING = False
if TYPE_CHECKING:
    from leoflow_agent.bash_output import LastLine
    from leoflow_agent.echo import Echo
    from leoflow_agent.mask import Mask
    from leoflow_agent.outbox import Outbox


class Stream:
    """The reading end of the task's stdout or stderr; its lines go into the outbox.

    ``last_line`` is told all of it where that is wanted. With a ``mask`` whole lines go on, without
    the secrets in them.
    """

    def __init__(self, name: str, fd: int, copy_to: int, outbox: "Outbox") -> None:
        self.fd = fd
        self.echo: Echo | None = None
        self.last_line: LastLine | None = None
        self.due_at = NEVER
        self.mask: Mask | None = None
        self._name = name
        self._copy_to = copy_to
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
                self._copy(chunk)
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
                self._copy(shown)
            self._outbox.add_log(self._name, text, used)
            if self.last_line is not None:
                self.last_line.note(data[:used])

    def _copy(self, data: bytes) -> None:
        if self.echo is None:
            from leoflow_agent import echo

            self.echo = echo.Echo(self._copy_to)
        self.echo.write(data)
