"""Reads an answer chunk by chunk while it is being written, which httpx's ASGI transport cannot."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.types import ASGIApp, Message


class Stream:
    """An answer that is under way."""

    def __init__(self) -> None:
        self.status = 0
        self._chunks: asyncio.Queue[bytes | None] = asyncio.Queue()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            return
        if message.get("body"):
            self._chunks.put_nowait(message["body"])
        if not message.get("more_body", False):
            self._chunks.put_nowait(None)

    async def next(self) -> str | None:
        """Give the next chunk, None at the end."""
        async with asyncio.timeout(60):
            chunk = await self._chunks.get()
        return None if chunk is None else chunk.decode()

    @property
    def is_quiet(self) -> bool:
        """Whether nothing came that was not read."""
        return self._chunks.empty()


@asynccontextmanager
async def opened(app: ASGIApp, target: str, token: str = "admin") -> AsyncIterator[Stream]:
    """Open ``target`` as a client that stays until the end of the block."""
    path, _, query = target.partition("?")
    scope: dict[str, Any] = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(b"authorization", f"Bearer {token}".encode())],
        "client": ("127.0.0.1", 1),
        "server": ("leoflow", 80),
        "scheme": "http",
        "http_version": "1.1",
        "root_path": "",
    }
    gone = asyncio.Event()
    asked = False

    async def receive() -> Message:
        nonlocal asked
        if not asked:
            asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await gone.wait()
        return {"type": "http.disconnect"}

    stream = Stream()
    task = asyncio.create_task(app(scope, receive, stream.send))
    try:
        yield stream
    finally:
        gone.set()
        await asyncio.wait({task}, timeout=10)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
