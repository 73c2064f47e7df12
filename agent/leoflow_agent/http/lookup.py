"""Opens a connection so that a slow lookup of a name has a time-out and holds no signal up.

The system's lookup has neither: it is done in a thread of its own, which nobody waits for too long.
"""

import socket
import threading

from leoflow_agent.http.trouble import TIMEOUT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def open_connection(
    address: "tuple[str, int]", seconds: float, _source: object = None
) -> socket.socket:
    """Connect to one of the addresses that a host has, as socket.create_connection does.

    ``seconds`` is for the lookup, and for each address.
    """
    refusal: OSError | None = None
    for family, kind, protocol, _, place in look_up(address, seconds):
        connection = socket.socket(family, kind, protocol)
        connection.settimeout(seconds)
        try:
            connection.connect(place)
            return connection
        except OSError as error:
            connection.close()
            refusal = error
    raise refusal or OSError("the host has no address")


def look_up(address: "tuple[str, int]", seconds: float) -> "list[Any]":
    """Return what getaddrinfo does; TIMEOUT if that takes longer than ``seconds``."""
    found: list[Any] = []

    def look() -> None:
        try:
            found.append(socket.getaddrinfo(*address, 0, socket.SOCK_STREAM))
        except (OSError, ValueError) as error:
            found.append(error)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    thread.join(seconds)
    if not found:
        raise TIMEOUT("the lookup takes too long")
    if isinstance(found[0], Exception):
        raise found[0]
    return found[0]  # type: ignore[no-any-return]
