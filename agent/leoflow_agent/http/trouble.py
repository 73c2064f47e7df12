"""Why there is no connection or no answer, in the same words in both modes.

No text has any part of the request in it, and whether to try again is decided by others.
"""

import os
import socket
import ssl

from leoflow_agent.http.step import Broken

# A class of its own before Python 3.10.
TIMEOUT = socket.timeout


def no_connection(error: OSError, seconds: float) -> Broken:
    """Say why there is no connection; ``seconds`` is how long it was tried."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return Broken(False, False, f"its certificate is not trusted: {error.verify_message}")
    if isinstance(error, TIMEOUT):
        return Broken(False, True, f"no connection within {seconds:g} s")
    if isinstance(error, socket.gaierror):
        return Broken(False, True, f"the name of its host is not known: {error.strerror}")
    if isinstance(error, ssl.SSLError):
        return Broken(False, True, f"TLS failed: {error.reason}")
    # The tunnel of a proxy fails without a number; asyncio has words of its own for one.
    return Broken(False, True, os.strerror(error.errno) if error.errno else str(error))


def late(seconds: float) -> Broken:
    """Say that the server was silent for too long."""
    return Broken(True, False, f"nothing came within timeout_seconds {seconds:g}")


def no_answer() -> Broken:
    """Say that the request was sent, all of it or a part, and nothing came back."""
    return Broken(True, True, "the connection broke before an answer")


def cut_off(size_bytes: int) -> Broken:
    """Say that the answer has no end."""
    return Broken(True, True, f"the connection broke after {size_bytes} bytes of the answer")
