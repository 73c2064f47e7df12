"""The one port: a socket, and uvicorn behind it without its ticks and its hold on signals."""

from __future__ import annotations

import asyncio
import errno
import socket
from functools import partial
from typing import cast

import uvicorn
from starlette.types import ASGIApp

from leoflow_controlplane.error import SettingInvalid
from leoflow_controlplane.reportprotocol import TakeReport
from leoflow_controlplane.server.protocol import LimitedProtocol

KEEP_ALIVE_SECONDS = 75


def bind(host: str, port: int) -> socket.socket:
    """Take the port, so that nobody else can; SettingInvalid says why that is impossible."""
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except socket.gaierror as error:
        raise SettingInvalid(f"host is '{host}', which is no address: {error.strerror}.") from None
    # asyncio sets TCP_NODELAY only where the protocol is named. Without it the second part of each
    # answer waits 40 ms for the first to be acknowledged.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        # Not before this does the system tell of another process that has the port.
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise SettingInvalid(_explain(host, port, error)) from None
    return listener


class Listener:
    """Serves ``app`` on a socket that is bound, from `start` to `close`; reports are given to
    ``take`` first."""

    def __init__(
        self,
        app: ASGIApp,
        take: TakeReport,
        listener: socket.socket,
        tls: tuple[str, str] | None,
        shutdown_seconds: float,
    ) -> None:
        cert, key = tls or (None, None)
        config = uvicorn.Config(
            app,
            http=cast(type[asyncio.Protocol], partial(LimitedProtocol, take=take)),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            # Who asks is who connects: headers that say otherwise are anybody's to write.
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=max(1, round(shutdown_seconds)),
            ssl_certfile=cert,
            ssl_keyfile=key,
        )
        config.load()
        self._listener = listener
        self._server = uvicorn.Server(config)
        self._server.lifespan = config.lifespan_class(config)

    async def start(self) -> None:
        """Begin to accept connections."""
        # serve() would take over the process's signals; all that it adds is a tick.
        await self._server.startup(sockets=[self._listener])

    async def close(self) -> None:
        """Accept nothing more, and give the requests under way their time to end."""
        await self._server.shutdown(sockets=[self._listener])


def _explain(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"port {port} of {host} is taken by another process, maybe another 'leoflow server'. "
            "End it, or choose another port: --port 8081"
        )
    if error.errno == errno.EACCES:
        return (
            f"port {port} may not be listened on by this user. Choose one from 1024 on: --port 8080"
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return f"host is '{host}', which is no address of this machine."
    return f"port {port} of {host} cannot be listened on: {error.strerror}."
