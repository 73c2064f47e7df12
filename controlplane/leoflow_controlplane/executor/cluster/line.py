"""An HTTP session as whom a Kubernetes client is configured: where, TLS, proxy and tokens are its,
and of each request nothing else is. Its own request costs a third more, at two for each Pod.
"""

from __future__ import annotations

import asyncio
from typing import Any

from leoflow_controlplane.error import ExecutorUnusable

CONNECT_SECONDS = 5.0
# An event of a watch is one line, and the longest that a Pod can be has to fit.
BUFFER_BYTES = 2 * 1024**2


def failures() -> tuple[type[Exception], ...]:
    """Name what is raised when there is no answer."""
    from aiohttp import ClientError

    return ClientError, OSError, TimeoutError, ExecutorUnusable


class Line:
    """A session that is open from now on, in a running loop."""

    def __init__(self, client: Any, most_connections: int) -> None:
        import aiohttp

        configuration = client.configuration
        self.host = str(configuration.host).rstrip("/")
        self._client = client
        self._timeout = aiohttp.ClientTimeout
        self._options: dict[str, Any] = {}
        if configuration.proxy:
            self._options["proxy"] = configuration.proxy
            self._options["proxy_headers"] = configuration.proxy_headers
        if configuration.tls_server_name:
            self._options["server_hostname"] = configuration.tls_server_name
        self._streams: set[Any] = set()
        self._under_way = 0
        self._is_idle = asyncio.Event()
        # Asked to heed the environment, aiohttp does so at each call, and looks for a netrc in a
        # thread; the proxy was chosen already.
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=most_connections, ssl=client.rest_client.ssl_context
            ),
            headers={"Accept": "application/json", **client.default_headers},
            cookie_jar=aiohttp.DummyCookieJar(),
            read_bufsize=BUFFER_BYTES,
            trust_env=False,
        )

    async def ask(
        self, method: str, target: str, body: bytes | None, seconds: float
    ) -> tuple[int, str | None, bytes]:
        """Give the status of an answer, its Retry-After and its body."""
        timeout = self._timeout(seconds, sock_connect=CONNECT_SECONDS)
        self._under_way += 1
        try:
            response = await self._send(method, target, body, timeout)
            return response.status, response.headers.get("Retry-After"), await response.read()
        finally:
            self._leave()

    async def open(self, target: str, silence_seconds: float) -> Any:
        """Give an answer that is to be read in pieces, and given back with `hang_up`. Within
        ``silence_seconds`` something has to come."""
        timeout = self._timeout(None, sock_connect=CONNECT_SECONDS, sock_read=silence_seconds)
        self._under_way += 1
        try:
            response = await self._send("GET", target, None, timeout)
            self._streams.add(response)
            return response
        finally:
            self._leave()

    def hang_up(self, response: Any) -> None:
        """End what `open` gave; whoever reads it is told that it broke off."""
        self._streams.discard(response)
        response.close()

    async def retire(self) -> None:
        """Break off what is read in pieces now, and close once all other calls have ended."""
        self._hang_up_all()
        try:
            while self._under_way:
                self._is_idle.clear()
                await self._is_idle.wait()
        finally:
            await self.close()

    async def close(self) -> None:
        """Close all connections."""
        self._hang_up_all()
        await self._session.close()
        await self._client.close()

    def _hang_up_all(self) -> None:
        # A connection that is closed below its reader leaves it waiting for ever.
        for response in [*self._streams]:
            self.hang_up(response)

    def _leave(self) -> None:
        self._under_way -= 1
        if not self._under_way:
            self._is_idle.set()

    async def _send(self, method: str, target: str, body: bytes | None, timeout: Any) -> Any:
        from yarl import URL

        headers = {}
        # The client reads a token again that is about to become too old.
        token = await self._client.configuration.get_api_key_with_prefix("BearerToken")
        if token:
            headers["Authorization"] = token
        if body is not None:
            headers["Content-Type"] = "application/json"
        return await self._session.request(
            method,
            URL(self.host + target, encoded=True),
            data=body,
            headers=headers,
            timeout=timeout,
            **self._options,
        )
