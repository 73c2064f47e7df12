"""One connection to the control plane, driven by the supervisor's poll loop and never blocking it.

Speaks as much HTTP/1.1 as the control plane's agent API needs: one request at a time, answers
with a Content-Length. Does not decide when to try again.
"""

import _socket
import errno
import posix
import select

MAX_ANSWER_BYTES = 64 * 1024 * 1024
MAX_HEAD_BYTES = 64 * 1024
CHUNK_BYTES = 256 * 1024
ANSWER_TIMEOUT_SECONDS = 30.0
# What tells a control plane's refusal from that of a proxy or of another server at its address.
MARK = "leoflow-protocol"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class ChannelError(Exception):
    """The request was not answered by a control plane; sending it again may help."""


class Channel:
    """A connection to ``endpoint`` that opens by itself: ``unix:PATH``, ``http[s]://HOST:PORT``.

    ``ca`` are the certificates (PEM) that https trusts in place of the image's own.
    """

    def __init__(self, endpoint: str, token: str, ca: "str | None" = None) -> None:
        self.busy = False
        self.deadline = 0.0
        self._scheme, _, self._place = endpoint.partition(":")
        self._place = self._place.strip("/") if self._scheme != "unix" else self._place
        self.token = token
        self._ca = ca
        # A socket, or what can be used as one: see `connect`, `resolver` and `tls`.
        self._socket: Any = None
        self._failures = 0
        self._outgoing = b""
        self._incoming = bytearray()

    def request(self, method: str, path: str, now: float, body: str = "") -> None:
        """Begin a request; the answer comes out of `advance`. Raises ChannelError."""
        host = "leoflow" if self._scheme == "unix" else self._place
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {self.token}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self._outgoing = (head + body).encode("ascii", "replace")
        self._incoming.clear()
        self.deadline = now + ANSWER_TIMEOUT_SECONDS
        self.busy = True
        if self._socket is not None and self._is_stale():
            self.close()
        if self._socket is None:
            try:
                self._connect()
            except (OSError, ValueError, ImportError) as error:
                raise self._failed(_words(error)) from None

    def interest(self) -> "tuple[int, int]":
        """Return the descriptor and the poll events that `advance` waits for."""
        wanted = select.POLLOUT if self._outgoing else select.POLLIN
        return self._socket.fileno(), getattr(self._socket, "wants", 0) or wanted

    def advance(self) -> "tuple[int, bytes] | None":
        """Move the request on as far as it goes: (status, body) once answered, else None.

        Raises ChannelError, after which the channel is free for another request.
        """
        try:
            if self._outgoing:
                sent = self._socket.send(self._outgoing[:CHUNK_BYTES])
                self._outgoing = self._outgoing[sent:]
                return None
            chunk = self._socket.recv(CHUNK_BYTES)
        except BlockingIOError:
            return None
        except (OSError, ValueError) as error:
            raise self._failed(_words(error)) from None
        if not chunk:
            raise self._failed("the connection was closed before the answer was complete")
        self._incoming += chunk
        return self._answer()

    def check_deadline(self, now: float) -> None:
        """Raise ChannelError if the whole of the answer is overdue, however much of it came."""
        if self.busy and now > self.deadline:
            raise self._failed(f"no answer within {ANSWER_TIMEOUT_SECONDS:g} s")

    def close(self) -> None:
        """Hang up; the next request opens a new connection."""
        if self._socket is not None:
            self._socket.close()
        self._socket = None

    def _answer(self) -> "tuple[int, bytes] | None":
        status = 100
        while 100 <= status < 200:
            end = self._incoming.find(b"\r\n\r\n")
            if end < 0:
                if len(self._incoming) > MAX_HEAD_BYTES:
                    raise self._failed("the answer's head does not end")
                return None
            status, length, fields = self._head(self._incoming[:end].decode("latin-1"))
            if 100 <= status < 200:
                del self._incoming[: end + 4]
        body = self._incoming[end + 4 :]
        if len(body) < length:
            return None
        if 400 <= status < 500 and MARK not in fields:
            raise self._failed(f"it answered with {status}, and not as a control plane does")
        self.busy = False
        if len(body) > length or fields.get("connection") == "close":
            self.close()
        return status, bytes(body[:length])

    def _head(self, head: str) -> "tuple[int, int, dict[str, str]]":
        first, *lines = head.split("\r\n")
        try:
            parts = [line.partition(":") for line in lines]
            fields = {name.lower(): value.strip().lower() for name, _, value in parts}
            version, status = first.split(" ")[:2]
            length = fields.get(
                "content-length", "0" if status[:1] == "1" or status == "204" else ""
            )
            if not version.startswith("HTTP/1.") or not (status + length).isdecimal():
                raise ValueError
            if int(length) > MAX_ANSWER_BYTES or "transfer-encoding" in fields:
                raise ValueError
            return int(status), int(length), fields
        except ValueError:
            raise self._failed(f"the answer is not understood: {first[:80]!r}") from None

    def _connect(self) -> None:
        if self._scheme == "unix":
            self._socket = connect(_socket.AF_UNIX, self._place)
            return
        if self._scheme not in ("http", "https"):
            raise ValueError(f"the endpoint '{self._scheme}:…' is of no known kind")
        host, _, port = self._place.rpartition(":")
        host = host.strip("[]")
        try:
            only_numbers = (0, _socket.SOCK_STREAM, 0, _socket.AI_NUMERICHOST)
            found = _socket.getaddrinfo(host, int(port), *only_numbers)
            self._socket = connect(found[0][0], found[0][4])
        except _socket.gaierror:
            from leoflow_agent import resolver

            self._socket = resolver.Connection(host, int(port), self._failures)
        if self._scheme == "https":
            from leoflow_agent import tls

            self._socket = tls.Connection(self._socket, host, self._ca)

    def _is_stale(self) -> bool:
        """Tell whether the server hung up or spoke unasked: an idle connection has no news."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return bool(poll.poll(0))

    def _failed(self, reason: str) -> ChannelError:
        self.close()
        self.busy = False
        self._failures += 1
        return ChannelError(reason)


def connect(family: int, address: "Any") -> "_socket.socket":
    """Return a socket that is being connected and never blocks."""
    made = _socket.socket(family, _socket.SOCK_STREAM)
    made.setblocking(False)
    if family != _socket.AF_UNIX:
        made.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
    code = made.connect_ex(address)
    if code not in (0, errno.EINPROGRESS):
        made.close()
        raise OSError(code, posix.strerror(code))
    return made


def _words(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
