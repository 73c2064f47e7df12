"""One connection to the control plane, driven by the supervisor's poll loop and never blocking it.

Speaks as much HTTP/1.1 as the control plane's agent API needs: one request at a time, answers
with a Content-Length. Does not decide when to try again.
"""

import _socket
import errno
import time

MAX_ANSWER_BYTES = 64 * 1024 * 1024
MAX_HEAD_BYTES = 64 * 1024
ANSWER_TIMEOUT_SECONDS = 30.0

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

POLL_IN, POLL_OUT = 1, 4


class ChannelError(Exception):
    """The request was not answered; sending it again may help."""


class Channel:
    """A connection to ``endpoint`` (``unix:PATH`` or ``http://HOST:PORT``) that opens by itself."""

    def __init__(self, endpoint: str, token: str) -> None:
        self._endpoint = endpoint
        self._token = token
        self._socket: _socket.socket | None = None
        self._outgoing = b""
        self._incoming = bytearray()
        self._deadline = 0.0
        self.busy = False

    def request(self, method: str, path: str, body: str = "") -> None:
        """Begin a request; the answer comes out of `advance`. Raises ChannelError."""
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: leoflow\r\nAuthorization: Bearer {self._token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self._outgoing = (head + body).encode("ascii")
        self._incoming.clear()
        self._deadline = time.monotonic() + ANSWER_TIMEOUT_SECONDS
        self.busy = True
        if self._socket is not None and self._was_closed():
            self.close()
        if self._socket is None:
            self._connect()

    def interest(self) -> "tuple[int, int]":
        """Return the descriptor and the poll events that `advance` waits for."""
        assert self._socket is not None
        return self._socket.fileno(), POLL_OUT if self._outgoing else POLL_IN

    def advance(self) -> "tuple[int, bytes] | None":
        """Move the request on as far as it goes: (status, body) once answered, else None.

        Raises ChannelError, after which the channel is free for another request.
        """
        assert self._socket is not None
        try:
            if self._outgoing:
                sent = self._socket.send(self._outgoing[:262144])
                self._outgoing = self._outgoing[sent:]
                return None
            chunk = self._socket.recv(262144)
        except BlockingIOError:
            return None
        except OSError as error:
            raise self._failed(error.strerror or str(error)) from None
        if not chunk:
            raise self._failed("the connection was closed before the answer was complete")
        self._incoming += chunk
        return self._answer()

    def check_deadline(self) -> None:
        """Raise ChannelError if the answer is overdue."""
        if self.busy and time.monotonic() > self._deadline:
            raise self._failed(f"no answer within {ANSWER_TIMEOUT_SECONDS:g} s")

    def _answer(self) -> "tuple[int, bytes] | None":
        end = self._incoming.find(b"\r\n\r\n")
        if end < 0:
            if len(self._incoming) > MAX_HEAD_BYTES:
                raise self._failed("the answer's head does not end")
            return None
        status, length, keep = self._head(bytes(self._incoming[:end]))
        body = self._incoming[end + 4 :]
        if len(body) < length:
            return None
        self.busy = False
        if not keep:
            self.close()
        return status, bytes(body[:length])

    def _head(self, head: bytes) -> "tuple[int, int, bool]":
        lines = head.decode("latin-1").split("\r\n")
        length, keep = -1, True
        try:
            version, status = lines[0].split(" ")[:2]
            for line in lines[1:]:
                name, _, value = line.partition(":")
                if name.lower() == "content-length":
                    length = int(value)
                elif name.lower() == "connection":
                    keep = value.strip().lower() != "close"
            if not version.startswith("HTTP/1.") or not 0 <= length <= MAX_ANSWER_BYTES:
                raise ValueError
            return int(status), length, keep
        except ValueError:
            raise self._failed(f"the answer is not understood: {lines[0][:80]!r}") from None

    def _connect(self) -> None:
        try:
            if self._endpoint.startswith("unix:"):
                self._socket = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
                address: Any = self._endpoint[5:]
            else:
                host, _, port = self._endpoint.partition("://")[2].rstrip("/").rpartition(":")
                found = _socket.getaddrinfo(host, int(port), 0, _socket.SOCK_STREAM)[0]
                self._socket = _socket.socket(found[0], found[1], found[2])
                self._socket.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
                address = found[4]
            self._socket.setblocking(False)
            self._socket.connect(address)
        except OSError as error:
            if error.errno != errno.EINPROGRESS:
                raise self._failed(error.strerror or str(error)) from None

    def _was_closed(self) -> bool:
        """Tell whether the server hung up an idle connection, which is no failure."""
        assert self._socket is not None
        try:
            return not self._socket.recv(1, _socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def _failed(self, reason: str) -> ChannelError:
        self.close()
        self.busy = False
        return ChannelError(reason)

    def close(self) -> None:
        """Hang up; the next request opens a new connection."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
