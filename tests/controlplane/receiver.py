"""An HTTP server for tests that are about what is sent to one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

GOOD = b"HTTP/1.1 204 No Content\r\n\r\n"
BAD = b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n"


class Receiver:
    """A server that answers as it is told, once ``gate`` requests are there, and keeps them."""

    def __init__(self, *answers: bytes, gate: int = 0) -> None:
        self.gate = gate
        self.got: list[tuple[str, str]] = []
        self.arrived = asyncio.Event()
        self.open = asyncio.Event()
        if not gate:
            self.open.set()
        self.now = self.most = 0
        self._answers = list(answers)

    @asynccontextmanager
    async def listen(self) -> AsyncIterator[str]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        async with server:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = int(head.partition("content-length: ")[2].partition("\r")[0])
            self.got.append((head, (await reader.readexactly(length)).decode()))
            self.now += 1
            self.most = max(self.most, self.now)
            self.arrived.set()
            if self.gate and self.now == self.gate:
                self.open.set()
            await self.open.wait()
            self.now -= 1
            writer.write(self._answers.pop(0) if self._answers else GOOD)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def ids(self) -> list[str]:
        return [head.partition("webhook-id: ")[2].partition("\r")[0] for head, _ in self.got]
