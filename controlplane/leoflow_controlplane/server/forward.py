"""What a replica that does not lead does with requests that only the leader can answer: hands them
on, once. Decides nothing about them; who leads is the database's to know.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import httpx
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from leoflow_controlplane.error import DatabaseUnusable
from leoflow_controlplane.rest.answer import refusal
from leoflow_controlplane.rest.crowd import is_stream

# On a request that was handed on: whoever gets it and does not lead does not hand it on again.
FORWARDED = "leoflow-forwarded"
# RFC 9110, section 7.6.1; the length is that of the connection's own framing.
_HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_TIMEOUT = httpx.Timeout(30.0, connect=2.0, read=60.0, pool=5.0)
# A stream says something at least every thirty seconds, or as seldom as it was asked to.
_STREAM_TIMEOUT = httpx.Timeout(30.0, connect=2.0, read=None, pool=5.0)
_RETRY = {"Retry-After": "1"}
# A process that is stopped, or a machine that is gone, hangs up on nobody.
LOOK_SECONDS = 2.0


class Forwarder:
    """Hands on what `app` cannot answer while ``leads()`` is false.

    ``find_leader`` gives the URL of the process that leads, None if nobody does or this one did.
    While an answer is outstanding it is asked again every ``look_seconds``.
    """

    def __init__(
        self,
        app: ASGIApp,
        leads: Callable[[], bool],
        find_leader: Callable[[], Awaitable[str | None]],
        client: httpx.AsyncClient,
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        self._app = app
        self._leads = leads
        self._find_leader = find_leader
        self._client = client
        self._look_seconds = look_seconds
        self._looking: asyncio.Future[str | None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._leads() or not needs_leader(scope):
            await self._app(scope, receive, send)
            return
        if FORWARDED in Headers(scope=scope):
            text = "this replica does not lead, and was taken for the one that does."
            await refusal(503, text, _RETRY)(scope, receive, send)
            return
        try:
            url = await self._find_leader()
        except DatabaseUnusable as error:
            await refusal(503, str(error), _RETRY)(scope, receive, send)
            return
        if url is None:
            await refusal(503, "no replica leads at the moment.", _RETRY)(scope, receive, send)
            return
        await self._hand_on(url, scope, receive, send)

    async def _hand_on(self, url: str, scope: Scope, receive: Receive, send: Send) -> None:
        request = self._client.build_request(
            scope["method"],
            url.rstrip("/") + _target(scope),
            headers=[*_end_to_end(scope["headers"]), (FORWARDED.encode(), b"1")],
            content=_read(receive) if _has_body(scope) else None,
            timeout=_STREAM_TIMEOUT if is_stream(scope) else _TIMEOUT,
        )
        begun = False
        try:
            async with self._as_long_as_leads(url):
                answer = await self._client.send(request, stream=True)
                try:
                    begun = True
                    await _pass_back(answer, send)
                finally:
                    await answer.aclose()
        except (httpx.HTTPError, TimeoutError) as error:
            if begun:
                # Cut off, so that nobody takes the part that came for the whole.
                raise
            text = f"the replica that leads did not answer: {type(error).__name__}."
            await refusal(503, text, _RETRY)(scope, receive, send)

    @asynccontextmanager
    async def _as_long_as_leads(self, url: str) -> AsyncIterator[None]:
        """Raise TimeoutError in the block as soon as another process is known to lead."""
        async with asyncio.timeout(None) as limit:
            watching = asyncio.create_task(self._watch(url, limit))
            try:
                yield
            finally:
                watching.cancel()

    async def _watch(self, url: str, limit: asyncio.Timeout) -> None:
        found: str | None = url
        while found == url:
            await asyncio.sleep(self._look_seconds)
            with suppress(DatabaseUnusable):
                found = await self._look()
        limit.reschedule(asyncio.get_running_loop().time())

    async def _look(self) -> str | None:
        """Find the leader, once for all that ask meanwhile."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.ensure_future(self._find_leader())
        return await asyncio.shield(self._looking)


def needs_leader(scope: Scope) -> bool:
    """Say whether only the leader can answer a request: it changes something, comes from an agent,
    or waits for what happens."""
    path: str = scope["path"]
    if path.startswith("/agent/"):
        return True
    if not path.startswith("/api/"):
        return False
    return scope["method"] not in ("GET", "HEAD", "OPTIONS") or is_stream(scope)


def _target(scope: Scope) -> str:
    path: bytes = scope.get("raw_path") or scope["path"].encode()
    query: bytes = scope["query_string"]
    return (path + (b"?" + query if query else b"")).decode("latin-1")


def _end_to_end(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    named = {
        word.strip().lower()
        for name, value in headers
        if name.lower() == b"connection"
        for word in value.decode("latin-1").split(",")
    }
    dropped = _HOP_BY_HOP | named | {"host"}
    return [
        (name, value) for name, value in headers if name.decode("latin-1").lower() not in dropped
    ]


def _has_body(scope: Scope) -> bool:
    headers = Headers(scope=scope)
    return "content-length" in headers or "transfer-encoding" in headers


async def _read(receive: Receive) -> AsyncIterator[bytes]:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            # The leader must not take what came so far for all of it.
            raise httpx.ReadError("the client went away")
        yield message.get("body", b"")
        if not message.get("more_body", False):
            return


async def _pass_back(answer: httpx.Response, send: Send) -> None:
    start: Message = {
        "type": "http.response.start",
        "status": answer.status_code,
        "headers": _end_to_end(answer.headers.raw),
    }
    await send(start)
    async for chunk in answer.aiter_raw():
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
