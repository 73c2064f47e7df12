"""A socket in front of the engine's, which can be cut with all that goes through it."""

from __future__ import annotations

import os
import socket
import threading
from contextlib import suppress
from pathlib import Path


class Wire:
    """Passes on what comes in at ``path`` between `mend` and `cut`. ``behind`` is the engine's."""

    def __init__(self, path: Path) -> None:
        self.path = path
        host = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
        self.behind = host.removeprefix("unix://")
        self._listener: socket.socket | None = None
        self._threads: list[threading.Thread] = []
        self._ends: list[socket.socket] = []

    def mend(self) -> None:
        """Let through; harmless if it does."""
        if self._listener is not None:
            return
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.path))
        self._listener.listen(50)
        self._begin(self._accept, self._listener)

    def cut(self) -> None:
        """Break all connections off and let none in; harmless if it is cut."""
        if self._listener is None:
            return
        self.path.unlink()
        for end in (self._listener, *self._ends):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in list(self._threads):
            thread.join(10)
        for end in (self._listener, *self._ends):
            end.close()
        self._listener = None
        self._ends.clear()
        self._threads.clear()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                outer, _ = listener.accept()
                inner = socket.socket(socket.AF_UNIX)
                inner.connect(self.behind)
                self._ends += [outer, inner]
                self._begin(self._pass_on, outer, inner)
                self._begin(self._pass_on, inner, outer)

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while chunk := source.recv(65536):
                target.sendall(chunk)
            target.shutdown(socket.SHUT_WR)

    def _begin(self, work: object, *args: socket.socket) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()
