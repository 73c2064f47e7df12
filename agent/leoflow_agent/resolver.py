"""Looks a host's name up in a process of its own, for the C library blocks while it does.

Imported only where the control plane has a name; the process is reaped as any other.
"""

import _socket
import posix

from leoflow_agent import compactjson

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MAX_ADDRESSES = 16


def look_up(host: str, port: int) -> int:
    """Begin to look ``host`` up; return the descriptor at which `read` finds what came out."""
    reading, writing = posix.pipe()
    if posix.fork() == 0:
        try:
            posix.write(writing, compactjson.dumps(_find(host, port)).encode())
        finally:
            posix._exit(0)
    posix.close(writing)
    return reading


def read(fd: int) -> "list[tuple[int, Any]]":
    """Return the addresses, each with its family, and close ``fd``; OSError if there are none."""
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
