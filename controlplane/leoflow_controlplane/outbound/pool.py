"""Keep connections and share them out. httpcore's own pool looks at every connection whenever one
begins or ends, which with a thousand of them is the most expensive part of a call.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpcore
import httpx

from leoflow_controlplane.outbound.network import Network

KEEP_ALIVE_SECONDS = 5.0
# RFC 9110, 9.2.2. Any other might be lost on a connection that its server gives up just now, and
# could not be sent again.
_REPEATABLE = (b"GET", b"HEAD", b"PUT", b"DELETE", b"OPTIONS")

_ERRORS: tuple[tuple[type[Exception], type[httpx.TransportError]], ...] = (
    (httpcore.ReadTimeout, httpx.ReadTimeout),
    (httpcore.WriteTimeout, httpx.WriteTimeout),
    (httpcore.ReadError, httpx.ReadError),
    (httpcore.WriteError, httpx.WriteError),
    (httpcore.LocalProtocolError, httpx.LocalProtocolError),
    (httpcore.RemoteProtocolError, httpx.RemoteProtocolError),
)


class _Host:
    """The connections to one server. ``users``: how many have or want one."""

    def __init__(self, origin: httpcore.Origin, places: int) -> None:
        self.origin = origin
        self.places = asyncio.Semaphore(places)
        self.idle: dict[httpcore.AsyncHTTP11Connection, asyncio.TimerHandle] = {}
        self.users = 0


class Pool(httpx.AsyncBaseTransport):
    """Sends requests, ``total`` at a time and ``per_host`` to one server; others wait for their
    turn as long as they would for a connection. Belongs to one event loop."""

    def __init__(self, network: Network, total: int, per_host: int) -> None:
        self._network = network
        self._places = asyncio.Semaphore(total)
        self._per_host = per_host
        self._hosts: dict[tuple[bytes, bytes, int], _Host] = {}
        self._closing: set[asyncio.Task[None]] = set()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request; the connection is given back when the answer is closed."""
        sent = _translate(request)
        host = self._host(sent.url.origin)
        connection: httpcore.AsyncHTTP11Connection | None = None
        await self._enter(host, sent.extensions.get("timeout", {}).get("pool"))
        try:
            connection = await self._connection(host, sent)
            with _errors_of_httpx():
                answer = await connection.handle_async_request(sent)
        except BaseException:
            await self._leave(host, connection)
            raise
        body = _Body(answer, lambda: self._leave(host, connection))
        return httpx.Response(
            answer.status, headers=answer.headers, stream=body, extensions=answer.extensions
        )

    async def aclose(self) -> None:
        """Close the connections that nobody uses; the others close when they are given back."""
        for host in list(self._hosts.values()):
            for connection in list(host.idle):
                self._forget(host, connection)
        await asyncio.gather(*self._closing)

    def _host(self, origin: httpcore.Origin) -> _Host:
        key = (origin.scheme, origin.host, origin.port)
        if key not in self._hosts:
            self._hosts[key] = _Host(origin, self._per_host)
        return self._hosts[key]

    async def _enter(self, host: _Host, seconds: float | None) -> None:
        host.users += 1
        try:
            async with asyncio.timeout(seconds):
                await host.places.acquire()
                try:
                    await self._places.acquire()
                except BaseException:
                    host.places.release()
                    raise
        except BaseException as error:
            self._left(host)
            if isinstance(error, TimeoutError):
                raise httpx.PoolTimeout("no turn in time") from None
            raise

    async def _leave(self, host: _Host, connection: httpcore.AsyncHTTP11Connection | None) -> None:
        usable = connection is not None and connection.is_idle() and not _has_more(connection)
        if usable and connection is not None:
            timer = asyncio.get_running_loop().call_later(
                KEEP_ALIVE_SECONDS, self._forget, host, connection
            )
            host.idle[connection] = timer
        self._places.release()
        host.places.release()
        self._left(host)
        if connection is not None and not usable:
            await connection.aclose()

    def _left(self, host: _Host) -> None:
        host.users -= 1
        self._drop_unused(host)

    def _forget(self, host: _Host, connection: httpcore.AsyncHTTP11Connection) -> None:
        host.idle.pop(connection).cancel()
        self._drop_unused(host)
        closing = asyncio.get_running_loop().create_task(connection.aclose())
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)

    def _drop_unused(self, host: _Host) -> None:
        if not host.users and not host.idle:
            origin = host.origin
            self._hosts.pop((origin.scheme, origin.host, origin.port), None)

    async def _connection(
        self, host: _Host, sent: httpcore.Request
    ) -> httpcore.AsyncHTTP11Connection:
        while host.idle and sent.method in _REPEATABLE:
            connection = next(reversed(host.idle))
            if not connection.has_expired():
                host.idle.pop(connection).cancel()
                return connection
            self._forget(host, connection)
        origin = host.origin
        stream = await self._network.connect(
            origin.scheme.decode(),
            origin.host.decode(),
            origin.port,
            sent.extensions.get("timeout", {}).get("connect"),
        )
        return httpcore.AsyncHTTP11Connection(origin, stream, KEEP_ALIVE_SECONDS)


class _Body(httpx.AsyncByteStream):
    def __init__(self, answer: httpcore.Response, leave: Callable[[], Awaitable[None]]) -> None:
        self._answer = answer
        self._leave: Callable[[], Awaitable[None]] | None = leave

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _errors_of_httpx():
            async for chunk in self._answer.aiter_stream():
                yield chunk

    async def aclose(self) -> None:
        leave, self._leave = self._leave, None
        if leave is not None:
            try:
                await self._answer.aclose()
            finally:
                await leave()


def _has_more(connection: httpcore.AsyncHTTP11Connection) -> bool:
    """Tell whether more has come than the answer; it would be taken for that of the next request.

    httpcore does not look, and has no public name for it.
    """
    state: Any = connection._h11_state
    return bool(state.trailing_data[0])


def _translate(request: httpx.Request) -> httpcore.Request:
    url = request.url
    # What httpx calls a stream may be read in either way; that of a client for asyncio in this.
    content: Any = request.stream
    return httpcore.Request(
        method=request.method,
        url=httpcore.URL(
            scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
        ),
        headers=request.headers.raw,
        content=content,
        extensions=request.extensions,
    )


@contextmanager
def _errors_of_httpx() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        for known, translated in _ERRORS:
            if isinstance(error, known):
                raise translated(str(error)) from error
        raise
