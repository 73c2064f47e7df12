"""Serve the agent API inside the running loop, on a Unix socket or on loopback; anywhere else only
where an operator says so. Installs no signal handlers.
"""

from __future__ import annotations

import logging
import socket
import tempfile
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from leoflow_controlplane.instance import Instance

SOCKET_NAME = "agent.sock"
# sockaddr_un holds 108 bytes on Linux and 104 on macOS.
MAX_SOCKET_PATH = 100

logger = logging.getLogger("leoflow.agentserver")


class AgentServer:
    """Listens when an executor asks for it: each kind of address at most once."""

    def __init__(self, instance: Instance, app: ASGIApp) -> None:
        self._instance = instance
        config = uvicorn.Config(
            app,
            http="httptools",
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

    async def listen_unix(self) -> Path:
        """Return a folder, fit to be mounted into containers, that holds the socket."""
        if self._folder is None:
            # Others of this machine stop at the outer folder; in a container only the inner
            # one is there, and its user is nobody of ours.
            outer = _short_folder()
            self._instance.note_folder(outer)
            inner = outer / "agent"
            inner.mkdir()
            inner.chmod(0o755)
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            listener.bind(str(inner / SOCKET_NAME))
            (inner / SOCKET_NAME).chmod(0o666)
            await self._serve(listener)
            self._folder = inner
        return self._folder

    async def listen_tcp(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """Serve the API at ``host`` and return the port, a free one for 0.

        OSError if ``host`` is no address of this machine or the port is taken.
        """
        if (host, port) not in self._ports:
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
            await self._serve(listener)
            self._ports[host, port] = int(listener.getsockname()[1])
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


def _short_folder() -> Path:
    for parent in (None, "/tmp"):
        folder = Path(tempfile.mkdtemp(prefix="leoflow-", dir=parent))
        if len(str(folder / "agent" / SOCKET_NAME).encode()) < MAX_SOCKET_PATH:
            return folder
        folder.rmdir()
    raise OSError("no temporary folder has a path short enough for a Unix socket")
