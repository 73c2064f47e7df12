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
from leoflow_controlplane.executor.cluster.fault import Away, Unauthorized, fault_of
from leoflow_controlplane.executor.cluster.line import Line, failures

# Those of calls, and one for a watch.
MOST_CONNECTIONS = 64
ANSWER_SECONDS = 30.0
# At most so often are credentials that the API server does not take read again.
RENEWAL_SECONDS = 5.0

# `json.loads` and `json.dumps` look each time for what they are asked to do.
DECODER = json.JSONDecoder()
ENCODER = json.JSONEncoder(separators=(",", ":"))

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
            said = DECODER.decode(self.body.decode())
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
        self._line: Line
        self._retiring: set[asyncio.Task[None]] = set()
        self._renewing = asyncio.Lock()
        self._renewed_at = 0.0

    async def open(self) -> None:
        """Read who we are. Raises ExecutorUnusable."""
        client, self.namespace = await load_client(self._access)
        self._line = Line(client, MOST_CONNECTIONS)
        self._renewed_at = time.monotonic()

    @property
    def host(self) -> str:
        """Where the API server is."""
        return self._line.host

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
        target = _target(path, query)
        data = None if body is None else ENCODER.encode(body).encode()
        answer = await self._ask(method, target, data, seconds)
        # An admission may say no with that status as well, and knows who we are.
        is_unknown = answer.status == 401 and isinstance(fault_of(401, answer.body), Unauthorized)
        if is_unknown and await self._renew():
            answer = await self._ask(method, target, data, seconds)
        return answer

    @asynccontextmanager
    async def stream(
        self, path: str, query: Mapping[str, str], silence_seconds: float
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """Open an answer that comes in pieces. Raises what the answer means if it is no success,
        and Away when it breaks off or nothing comes for ``silence_seconds``."""
        line = self._line
        try:
            response = await line.open(_target(path, query), silence_seconds)
            try:
                if response.status == 401:
                    await self._renew()
                if response.status >= 400:
                    raise fault_of(response.status, await response.read())
                yield response.content.iter_any()
            finally:
                line.hang_up(response)
        except failures() as error:
            raise Away(_innermost(error)) from error

    async def close(self) -> None:
        """Close all connections."""
        for task in self._retiring:
            task.cancel()
        await asyncio.gather(*self._retiring, return_exceptions=True)
        await self._line.close()

    async def _ask(self, method: str, target: str, data: bytes | None, seconds: float) -> Answer:
        try:
            status, retry_after, body = await self._line.ask(method, target, data, seconds)
        except failures() as error:
            raise Away(_innermost(error)) from error
        return Answer(status, body, retry_after)

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
            try:
                client, _ = await load_client(self._access)
            except ExecutorUnusable as error:
                logger.warning("the credentials cannot be read again: %s", error)
                return False
            old, self._line = self._line, Line(client, MOST_CONNECTIONS)
            self._renewed_at = time.monotonic()
            task = asyncio.create_task(old.retire())
            self._retiring.add(task)
            task.add_done_callback(self._retiring.discard)
            return True


def _target(path: str, query: Mapping[str, str] | None) -> str:
    return f"{quote(path)}?{urlencode(query)}" if query else quote(path)


def _innermost(error: BaseException) -> str:
    """Give the operating system's words, which HTTP libraries wrap."""
    if isinstance(error, TimeoutError) and not str(error):
        return "no answer in time"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
