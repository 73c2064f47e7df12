"""Calls over an open way to the API server of a cluster: who asks, for how long, and what no answer
means. Knows no Pods.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from leoflow_controlplane.error import ExecutorUnusable
from leoflow_controlplane.executor.cluster.connect import Access, load_client
from leoflow_controlplane.executor.cluster.fault import Away, fault_of

CONNECT_SECONDS = 5.0
ANSWER_SECONDS = 30.0
# At most so often are credentials that the API server does not take read again.
RENEWAL_SECONDS = 5.0

logger = logging.getLogger("leoflow.executor.kubernetes")


class Answer(NamedTuple):
    """What a call was answered with."""

    status: int
    body: bytes
    retry_after: str | None

    def json(self) -> Any:
        """Read the body, an object; raises what the answer means if it is no success, Away if it
        is none of an API server."""
        if self.status >= 400:
            raise fault_of(self.status, self.body, self.retry_after)
        try:
            said = json.loads(self.body)
        except ValueError:
            said = None
        if not isinstance(said, dict):
            words = self.body.decode("utf-8", "replace")[:200]
            raise Away(f"what answers is no API server: {words}")
        return said


class Connection:
    """A way to the API server of one cluster, once it is open."""

    def __init__(self, access: Access) -> None:
        self.namespace = access.namespace or "default"
        self._access = access
        self._client: Any = None
        self._renewing = asyncio.Lock()
        self._renewed_at = 0.0

    async def open(self) -> None:
        """Read who we are. Raises ExecutorUnusable."""
        self._client, self.namespace = await load_client(self._access)
        self._renewed_at = time.monotonic()

    @property
    def host(self) -> str:
        """Where the API server is."""
        return str(self._client.configuration.host)

    async def ask(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        seconds: float = ANSWER_SECONDS,
    ) -> Answer:
        """Make a call. Raises Away when there is no answer; what the answer means is the caller's.

        Credentials that are not taken are read again, once.
        """
        answer = await self._ask(method, path, query, body, seconds)
        if answer.status == 401 and await self._renew():
            answer = await self._ask(method, path, query, body, seconds)
        return answer

    @asynccontextmanager
    async def stream(
        self, path: str, query: Mapping[str, str], silence_seconds: float
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open an answer that comes in pieces. Raises what the answer means if it is no success,
        and Away when it breaks off or nothing comes for ``silence_seconds``."""
        async with self._translated():
            response = await self._send("GET", path, query, None, None, silence_seconds)
            try:
                if response.status == 401:
                    await self._renew()
                if response.status >= 400:
                    raise fault_of(response.status, await response.read())
                yield response.content.iter_any()
            finally:
                response.close()

    async def close(self) -> None:
        """Close all connections."""
        if self._client is not None:
            await self._client.close()

    async def _ask(
        self, method: str, path: str, query: Mapping[str, str] | None, body: Any, seconds: float
    ) -> Answer:
        async with self._translated():
            response = await self._send(method, path, query, body, seconds, None)
            async with response:
                retry_after = response.headers.get("Retry-After")
                return Answer(response.status, await response.read(), retry_after)

    async def _send(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: Any,
        seconds: float | None,
        silence_seconds: float | None,
    ) -> Any:
        from aiohttp import ClientTimeout

        client = self._client
        headers = {"Accept": "application/json", **client.default_headers}
        # Its hook reads a token again that is about to become too old.
        token = await client.configuration.get_api_key_with_prefix("BearerToken")
        if token:
            headers["Authorization"] = token
        url = client.configuration.host + quote(path)
        if query:
            url += "?" + urlencode(query)
        timeout = ClientTimeout(seconds, sock_connect=CONNECT_SECONDS, sock_read=silence_seconds)
        answer = await client.call_api(method, url, headers, body, _request_timeout=timeout)
        return answer.response

    @asynccontextmanager
    async def _translated(self) -> AsyncIterator[None]:
        from aiohttp import ClientError

        try:
            yield
        except (ClientError, OSError, TimeoutError) as error:
            raise Away(_innermost(error)) from error
        except ExecutorUnusable as error:
            raise Away(str(error)) from error

    async def _renew(self) -> bool:
        """Read who we are again; say whether that was done just now, by whomever."""
        began = time.monotonic()
        async with self._renewing:
            if self._renewed_at > began:
                return True
            if began - self._renewed_at < RENEWAL_SECONDS:
                return False
            self._renewed_at = time.monotonic()
            logger.info("the API server does not take our credentials, reading them again")
            old = self._client
            try:
                self._client, _ = await load_client(self._access)
            except ExecutorUnusable as error:
                logger.warning("the credentials cannot be read again: %s", error)
                return False
            self._renewed_at = time.monotonic()
            # Calls under way on the old one end as broken off, and are made again.
            await old.close()
            return True


def _innermost(error: BaseException) -> str:
    """Give the operating system's words, which HTTP libraries wrap."""
    if isinstance(error, TimeoutError) and not str(error):
        return "no answer in time"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
