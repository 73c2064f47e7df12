"""What a bash task returns: the last line of its stdout. The supervisor's side of ``bash_task``."""

from leoflow_agent import compactjson, exitcode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from leoflow_agent.outbox import Outbox


class LastLine:
    """The last line that is not empty of what is noted, cut off behind ``keep_bytes``."""

    def __init__(self, keep_bytes: int) -> None:
        self._keep_bytes = keep_bytes
        self._ended = b""
        self._open = b""

    @property
    def text(self) -> bytes:
        """Return the line, with what came after the last line's end."""
        return self._open or self._ended

    def note(self, data: bytes) -> None:
        """Take in what was printed next."""
        head, newline, tail = data.rpartition(b"\n")
        if newline:
            whole = (self._open + head).rstrip(b"\n")
            self._ended = whole.rpartition(b"\n")[2] or self._ended
            self._open = b""
        self._open = (self._open + tail)[: self._keep_bytes + 1]

    def push(self, outbox: "Outbox") -> "tuple[str, str | None, int]":
        """Leave the line as the return value; return state, reason and exit code of the try."""
        value = compactjson.quote(self.text.decode("utf-8", "replace"))
        if len(value) > self._keep_bytes:
            reason = (
                "the last line of stdout is the return value, and as JSON it is longer than the "
                f"limit of {self._keep_bytes} bytes; write it to a file and print where it is"
            )
            return "failed", reason, exitcode.RESULT_INVALID
        if self.text:
            outbox.add("xcom", f'"key":"return_value","value":{value}')
        return "success", None, exitcode.SUCCESS
