"""The little of HTTP that an engine's socket takes. http.client takes longer to import than an
unchanged build may last.

Requests are of HTTP 1.0, so every answer ends where the connection does (RFC 1945, section 7.2).
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import IO, NamedTuple

from leoflow_builder.failure import EngineError

PIECE_BYTES = 1 << 20


class Archive(NamedTuple):
    """What is sent: its size, and its bytes piece by piece."""

    size_bytes: int
    pieces: Iterable[bytes]


class Answer(NamedTuple):
    """What an engine answers; the body has not been read yet."""

    status: int
    body: IO[bytes]

    def checked(self, what: str) -> bytes:
        """Return the body; EngineError with the engine's own words if ``what`` failed."""
        said = self.body.read()
        if self.status >= 400:
            raise EngineError(f"{what} failed: {_message(said)}")
        return said

    def pieces(self) -> Iterator[bytes]:
        """Give the body piece by piece."""
        while piece := self.body.read(PIECE_BYTES):
            yield piece


@contextmanager
def ask(
    connection: socket.socket, method: str, path: str, archive: Archive | None = None
) -> Iterator[Answer]:
    """Send a request and give the answer; OSError if the other side does not speak HTTP."""
    size, pieces = archive or (0, ())
    head = [f"{method} {path} HTTP/1.0", "Host: engine", f"Content-Length: {size}"]
    head += ["Content-Type: application/x-tar"] if archive else []
    connection.sendall(("\r\n".join(head) + "\r\n\r\n").encode("ascii"))
    # Who answers before all is sent has a reason, which the answer tells.
    with suppress(BrokenPipeError, ConnectionResetError):
        for piece in pieces:
            connection.sendall(piece)
    with connection.makefile("rb") as body:
        first = body.readline(PIECE_BYTES).split()
        if len(first) < 2 or not first[1].isdigit():
            raise OSError("it gave no answer of HTTP")
        while body.readline(PIECE_BYTES).strip():
            pass
        yield Answer(int(first[1]), body)


def _message(said: bytes) -> str:
    try:
        return str(json.loads(said)["message"])
    except (ValueError, KeyError, TypeError):
        return said.decode(errors="replace").strip()
