"""Connections to addresses that the guard has seen: names are resolved here, once, and what is
connected to is what was judged, so that a name which changes in between gains nothing.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Awaitable, Callable

import httpcore
import httpx

from leoflow_controlplane.outbound.guard import Guard

# Long enough for a burst of calls, too short to miss a change that anybody waits for.
DNS_SECONDS = 5.0
MAX_NAMES = 10_000

Resolve = Callable[[str, int], Awaitable[list[str]]]


async def resolve(host: str, port: int) -> list[str]:
    """Ask the system for the addresses of ``host``, best first; OSError if there is none."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(item[4][0]) for item in found))


class Network:
    """Opens connections; everything in it belongs to one event loop."""

    def __init__(self, guard: Guard, resolve: Resolve = resolve) -> None:
        self._guard = guard
        self._resolve = resolve
        self._names: dict[tuple[str, int], tuple[float, asyncio.Task[list[str]]]] = {}
        self._backend = httpcore.AnyIOBackend()
        self._tls: asyncio.Task[ssl.SSLContext] | None = None

    async def connect(
        self, scheme: str, host: str, port: int, seconds: float | None
    ) -> httpcore.AsyncNetworkStream:
        """Connect to ``host``, with TLS for https.

        Raises AddressRefused, httpx.ConnectTimeout, and httpx.ConnectError with the error of the
        system as its cause.
        """
        try:
            async with asyncio.timeout(seconds) as timeout:
                addresses = await self.check(host, port)
                stream = await self._open(addresses, port, timeout.when())
                if scheme == "https":
                    return await stream.start_tls(await self._context(), server_hostname=host)
                return stream
        except TimeoutError as error:
            raise httpx.ConnectTimeout("no connection in time") from error
        except httpcore.ConnectTimeout as error:
            raise httpx.ConnectTimeout("no connection in time") from error
        except (OSError, httpcore.ConnectError) as error:
            raise httpx.ConnectError("no connection") from error

    async def check(self, host: str, port: int) -> list[str]:
        """Give the addresses of ``host``; AddressRefused if one of them is not open."""
        addresses = await self._addresses(host, port)
        for address in addresses:
            self._guard.check(host, address)
        return addresses

    async def _open(
        self, addresses: list[str], port: int, deadline: float | None
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address that answers; each has its share of the time."""
        loop = asyncio.get_running_loop()
        for left in range(len(addresses), 1, -1):
            share = None if deadline is None else max(0.0, deadline - loop.time()) / left
            try:
                return await self._backend.connect_tcp(addresses[-left], port, timeout=share)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return await self._backend.connect_tcp(addresses[-1], port)

    async def _addresses(self, host: str, port: int) -> list[str]:
        known = self._names.get((host, port))
        if known is None or known[0] < time.monotonic():
            if len(self._names) >= MAX_NAMES:
                self._names.clear()
            asked = asyncio.ensure_future(self._resolve(host, port))
            known = self._names[host, port] = (time.monotonic() + DNS_SECONDS, asked)
        try:
            # Others wait for the same answer.
            return await asyncio.shield(known[1])
        except OSError:
            self._names.pop((host, port), None)
            raise

    async def _context(self) -> ssl.SSLContext:
        # Reading all certificates takes some 20 ms, in which no other call would go on.
        if self._tls is None or (self._tls.done() and self._tls.exception()):
            self._tls = asyncio.ensure_future(asyncio.to_thread(_make_context))
        return await asyncio.shield(self._tls)


def _make_context() -> ssl.SSLContext:
    context = httpx.create_ssl_context()
    context.set_alpn_protocols(["http/1.1"])
    return context
