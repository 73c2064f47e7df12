"""A connection under TLS that is used as a plain non-blocking one.

Imported only for an https endpoint, in the supervisor alone and after the fork.
"""

import select
import socket
import ssl

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# To read the certificates takes longer than all else: once for each set of them.
_contexts: "dict[str | None, ssl.SSLContext]" = {}


class Connection:
    """TLS on ``plain``, a socket that is being connected. Used as one itself.

    ``ca`` are the certificates to trust (PEM), None for the image's own; ValueError if they cannot
    be read.
    """

    def __init__(self, plain: "Any", host: str, ca: "str | None") -> None:
        self._plain = plain
        self._host = host
        self._wants = 0
        self._is_open = False
        self._socket: Any = None
        try:
            self._context = _contexts.setdefault(ca, _contexts.get(ca) or _make_context(ca))
        except ValueError:
            plain.close()
            raise

    @property
    def wants(self) -> int:
        """Return the poll events to wait for, 0 if any."""
        return self._wants if self._socket else getattr(self._plain, "wants", 0)

    def fileno(self) -> int:
        """Return the descriptor to poll."""
        return (self._socket or self._plain).fileno()  # type: ignore[no-any-return]

    def send(self, data: bytes) -> int:
        """Send a part of ``data`` and return its length; errors as those of a plain socket."""
        return self._try("send", data)  # type: ignore[no-any-return]

    def recv(self, size: int) -> bytes:
        """Receive at most ``size`` bytes, nothing at the end; errors as those of a plain socket."""
        return self._try("recv", size)  # type: ignore[no-any-return]

    def close(self) -> None:
        """Hang up."""
        (self._socket or self._plain).close()

    def _try(self, act: str, argument: "Any") -> "Any":
        if self._socket is None:
            self._wrap()
        try:
            if not self._is_open:
                self._socket.do_handshake()
                self._is_open = True
            self._wants = 0
            return getattr(self._socket, act)(argument)
        except ssl.SSLWantReadError:
            self._wants = select.POLLIN
        except ssl.SSLWantWriteError:
            self._wants = select.POLLOUT
        except ssl.SSLCertVerificationError as error:
            reason = f"the certificate of '{self._host}' is not accepted: {error.verify_message}"
            raise OSError(0, reason) from None
        except ssl.SSLError as error:
            raise OSError(0, f"TLS with '{self._host}' failed: {error.reason or error}") from None
        raise BlockingIOError

    def _wrap(self) -> None:
        # Nothing is sent; but it fails as the connection does, and until there is one.
        self._plain.send(b"")
        bare = socket.socket(fileno=self._plain.detach())
        bare.setblocking(False)
        self._socket = self._context.wrap_socket(
            bare, server_hostname=self._host, do_handshake_on_connect=False
        )


def _make_context(ca: "str | None") -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cadata=ca)
    except (ValueError, ssl.SSLError) as error:
        raise ValueError(f"the certificates to trust cannot be read: {error}") from None
