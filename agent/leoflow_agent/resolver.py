"""Looks a host's name up in a process of its own, for the C library blocks while it does.

Imported only where the control plane has a name; the process is reaped as any other.
"""

import _socket
import posix
import select

from leoflow_agent import compactjson
from leoflow_agent.channel import connect

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MAX_ADDRESSES = 16


class Connection:
    """A socket to a host that is being looked up and connected to, used as one that is there.

    ``wants`` are the poll events to wait for, 0 if any. ``turn`` chooses among several addresses.
    """

    def __init__(self, host: str, port: int, turn: int) -> None:
        self.wants = select.POLLIN
        self._turn = turn
        self._lookup = _look_up(host, port)
        self._socket: _socket.socket | None = None

    def fileno(self) -> int:
        """Return the descriptor to poll."""
        return self._lookup if self._socket is None else self._socket.fileno()

    def send(self, data: bytes) -> int:
        """Send a part of ``data``; BlockingIOError until the host is found and connected."""
        return self._found().send(data)

    def recv(self, size: int) -> bytes:
        """Receive at most ``size`` bytes."""
        return self._found().recv(size)

    def detach(self) -> int:
        """Give the connected socket's descriptor away."""
        return self._found().detach()

    def close(self) -> None:
        """Hang up."""
        if self._lookup >= 0:
            posix.close(self._lookup)
        if self._socket is not None:
            self._socket.close()

    def _found(self) -> "_socket.socket":
        if self._socket is None:
            fd, self._lookup = self._lookup, -1
            found = _read(fd)
            family, address = found[self._turn % len(found)]
            self.wants = 0
            self._socket = connect(family, tuple(address))
            raise BlockingIOError
        return self._socket


def _look_up(host: str, port: int) -> int:
    reading, writing = posix.pipe()
    if posix.fork() == 0:
        try:
            posix.write(writing, compactjson.dumps(_find(host, port)).encode())
        finally:
            posix._exit(0)
    posix.close(writing)
    return reading


def _read(fd: int) -> "list[tuple[int, Any]]":
    try:
        found: Any = compactjson.loads(posix.read(fd, 65536).decode())
    finally:
        posix.close(fd)
    if isinstance(found, str):
        raise OSError(0, found)
    return found  # type: ignore[no-any-return]


def _find(host: str, port: int) -> "list[Any] | str":
    try:
        found = _socket.getaddrinfo(host, port, 0, _socket.SOCK_STREAM)
        return [[int(family), list(address)] for family, _, _, _, address in found][:MAX_ADDRESSES]
    except (OSError, ValueError) as error:
        return f"the name '{host}' is not found: {getattr(error, 'strerror', None) or error}"
