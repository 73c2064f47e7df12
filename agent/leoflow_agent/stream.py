"""What the task prints, on its way to the container's own output and into the log."""

import posix

MAX_LINE_BYTES = 16 * 1024

TYPE_CHECKING = False
if TYPE_CHECKING:
    from leoflow_agent.outbox import Outbox


class Stream:
    """The reading end of the task's stdout or stderr; whole lines go into the outbox."""

    def __init__(self, name: str, fd: int, copy_to: int, outbox: "Outbox") -> None:
        self.fd = fd
        self.last_line = b""
        self._name = name
        self._copy_to = copy_to
        self._outbox = outbox
        self._rest = b""
        posix.set_blocking(fd, False)

    def read(self) -> "bool | None":
        """Take what can be read: True if something was, None if nothing yet, False at the end."""
        try:
            chunk = posix.read(self.fd, 65536)
        except BlockingIOError:
            return None
        if chunk:
            self._copy(chunk)
            self._keep_lines(self._rest + chunk)
        return bool(chunk)

    def finish(self) -> None:
        """Take all that is left, with or without a line's end."""
        while self.read():
            pass
        if self._rest:
            self._log(self._rest)
            self.last_line = self._rest
            self._rest = b""

    def _keep_lines(self, data: bytes) -> None:
        end = data.rfind(b"\n") + 1
        if end == 0 and len(data) > MAX_LINE_BYTES:
            end = len(data)
        self._rest = data[end:]
        if end:
            self._log(data[:end])
            lines = data[:end].rstrip(b"\n").rpartition(b"\n")
            self.last_line = lines[2]

    def _log(self, data: bytes) -> None:
        self._outbox.add_log(self._name, data.decode("utf-8", "replace"))

    def _copy(self, data: bytes) -> None:
        try:
            while data:
                data = data[posix.write(self._copy_to, data) :]
        except OSError:
            self._copy_to = posix.open("/dev/null", posix.O_WRONLY)
