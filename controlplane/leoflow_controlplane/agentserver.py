"""Serve the agent API inside the running loop, on a Unix socket or on loopback; anywhere else only
where an operator says so. Installs no signal handlers.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import os
import socket
import stat
import tempfile
from functools import partial
from pathlib import Path
from typing import cast

import uvicorn
from starlette.types import ASGIApp

from leoflow_controlplane.instance import Instance
from leoflow_controlplane.reportprotocol import ReportProtocol, TakeReport, take_none

SOCKET_NAME = "agent.sock"
# sockaddr_un holds 108 bytes on Linux and 104 on macOS.
MAX_SOCKET_PATH = 100

logger = logging.getLogger("leoflow.agentserver")


class AgentServer:
    """Listens when an executor asks for it: each kind of address at most once. Reports are given
    to ``take`` first, all else to ``app``."""

    def __init__(self, instance: Instance, app: ASGIApp, take: TakeReport = take_none) -> None:
        self._instance = instance
        config = uvicorn.Config(
            app,
            http=cast(type[asyncio.Protocol], partial(ReportProtocol, take=take)),
            ws="none",
            lifespan="off",
            proxy_headers=False,
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            timeout_graceful_shutdown=1,
            # An idle agent's connection is kept, so that its next report needs no new one.
            timeout_keep_alive=3600,
        )
        config.load()
        self._config = config
        self._servers: list[tuple[uvicorn.Server, socket.socket]] = []
        self._folder: Path | None = None
        self._ports: dict[tuple[str, int], int] = {}

    async def listen_unix(self, *, stable: bool = False) -> Path:
        """Return a folder, fit to be mounted into containers, that holds the socket.

        ``stable``: the folder is the same for the next process of this home, and stays.
        """
        if self._folder is None:
            # Others of this machine stop at the outer folder; in a container only the inner
            # one is there, and its user is nobody of ours.
            outer = _stable_folder(self._instance) if stable else _short_folder()
            if not stable:
                self._instance.note_folder(outer)
            inner = outer / "agent"
            inner.mkdir(exist_ok=True)
            inner.chmod(0o755)
            await self._serve(_bind(inner / SOCKET_NAME))
            self._folder = inner
        return self._folder

    async def listen_tcp(
        self, host: str = "127.0.0.1", port: int = 0, *, stable: bool = False
    ) -> int:
        """Serve the API at ``host`` and return the port, a free one for 0.

        ``stable``: the free one is the same that the last process of this home had, unless that is
        taken now.
        OSError if ``host`` is no address of this machine or the port is taken.
        """
        if (host, port) not in self._ports:
            notes = self._instance.home / "agent.port"
            listener = _listen_again(host, notes) if stable and not port else _listen(host, port)
            await self._serve(listener)
            self._ports[host, port] = int(listener.getsockname()[1])
            if stable:
                notes.write_text(str(self._ports[host, port]))
        return self._ports[host, port]

    async def close(self) -> None:
        """Stop serving; requests under way get a second to end."""
        for server, listener in self._servers:
            await server.shutdown(sockets=[listener])
        self._servers.clear()

    async def _serve(self, listener: socket.socket) -> None:
        server = uvicorn.Server(self._config)
        server.lifespan = self._config.lifespan_class(self._config)
        # serve() would take over the process's signals; all that it adds is a tick.
        await server.startup(sockets=[listener])
        self._servers.append((server, listener))
        logger.debug("serving agents at %s", listener.getsockname())


def is_loopback(host: str) -> bool:
    """Say whether only this machine reaches ``host``."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _bind(path: Path) -> socket.socket:
    """Listen at ``path`` in place of whoever did before, with no moment without a socket."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    fresh = path.with_name(f".{os.getpid()}")
    fresh.unlink(missing_ok=True)
    listener.bind(str(fresh))
    fresh.chmod(0o666)
    listener.listen()
    fresh.rename(path)
    return listener


def _listen(host: str, port: int) -> socket.socket:
    family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    # asyncio sets TCP_NODELAY only where the protocol is named. Without it the second part
    # of each answer waits 40 ms for the first to be acknowledged.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError:
        listener.close()
        raise
    return listener


def _listen_again(host: str, notes: Path) -> socket.socket:
    """Listen where agents that run already were told to report, if nobody else does by now."""
    known = _read_port(notes)
    try:
        return _listen(host, known)
    except OSError as error:
        if known == 0:
            raise
        logger.warning(
            "agents that run already cannot report: port %d of %s, which they know, cannot be "
            "listened on any more: %s",
            known,
            host,
            error.strerror,
        )
        return _listen(host, 0)


def _read_port(notes: Path) -> int:
    try:
        return int(notes.read_text())
    except (OSError, ValueError):
        return 0


def _stable_folder(instance: Instance) -> Path:
    """Give the folder of a home's socket; a home whose path is too long has it in /tmp."""
    folder = instance.home / "socket"
    if not _is_short(folder):
        folder = Path("/tmp") / f"leoflow-{os.getuid()}-{instance.home_id}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if found.st_uid != os.getuid() or not stat.S_ISDIR(found.st_mode):
        raise OSError(
            f"'{folder}' belongs to somebody else: remove it, or use another LEOFLOW_HOME"
        )
    folder.chmod(0o700)
    return folder


def _is_short(folder: Path) -> bool:
    return len(str(folder / "agent" / SOCKET_NAME).encode()) < MAX_SOCKET_PATH


def _short_folder() -> Path:
    for parent in (None, "/tmp"):
        folder = Path(tempfile.mkdtemp(prefix="leoflow-", dir=parent))
        if _is_short(folder):
            return folder
        folder.rmdir()
    raise OSError("no temporary folder has a path short enough for a Unix socket")
