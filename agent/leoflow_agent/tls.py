"""A connection under TLS that is used as a plain non-blocking one.

Imported only for an https endpoint, in the supervisor alone and after the fork.
"""

import select
import socket
import ssl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def make_context(ca: "str | None") -> ssl.SSLContext:
    """Trust the certificates in ``ca`` (PEM), or the image's own for None. Names are checked."""
    try:
        return ssl.create_default_context(cadata=ca)
    except (ValueError, ssl.SSLError) as error:
        raise ValueError(f"the certificates to trust cannot be read: {error}") from None


class Connection:
    """TLS on ``plain``, which is connected. ``wants``: poll events to wait for, 0 if any."""

    def __init__(self, plain: "Any", host: str, context: ssl.SSLContext) -> None:
        self.wants = 0
        self._host = host
        self._is_open = False
        bare = socket.socket(fileno=plain.detach())
        bare.setblocking(False)
        self._socket = context.wrap_socket(
            bare, server_hostname=host, do_handshake_on_connect=False
        )

    def fileno(self) -> int:
        """Return the descriptor to poll."""
        return self._socket.fileno()

    def send(self, data: bytes) -> int:
        """Send a part of ``data`` and return its length; errors as those of a plain socket."""
        return self._try(self._socket.send, data)  # type: ignore[no-any-return]

    def recv(self, size: int) -> bytes:
        """Receive at most ``size`` bytes, nothing at the end; errors as those of a plain socket."""
        return self._try(self._socket.recv, size)  # type: ignore[no-any-return]

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def _try(self, act: "Callable[[Any], Any]", argument: "Any") -> "Any":
        try:
            if not self._is_open:
                self._socket.do_handshake()
                self._is_open = True
            self.wants = 0
            return act(argument)
        except ssl.SSLWantReadError:
            self.wants = select.POLLIN
        except ssl.SSLWantWriteError:
            self.wants = select.POLLOUT
        except ssl.SSLCertVerificationError as error:
            reason = f"the certificate of '{self._host}' is not accepted: {error.verify_message}"
            raise OSError(0, reason) from None
        except ssl.SSLError as error:
            raise OSError(0, f"TLS with '{self._host}' failed: {error.reason or error}") from None
        raise BlockingIOError
