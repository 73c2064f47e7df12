"""A web server of a few lines, for calls to be made to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Callee:
    """Answers each request (its head) with what ``answer`` gives, and leaves one open for which
    that is None. ``heads`` are all that came; ``left``: somebody went without an answer."""

    def __init__(self, answer: Callable[[bytes], bytes | None]) -> None:
        self.heads: list[bytes] = []
        self.url = ""
        self.asked = asyncio.Event()
        self.left = asyncio.Event()
        self._answer = answer

    async def __aenter__(self) -> Callee:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1000)
        host, port = self._server.sockets[0].getsockname()
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.heads.append(head)
        self.asked.set()
        body = self._answer(head)
        try:
            if body is None:
                await reader.read()
                self.left.set()
                return
            writer.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
                b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
            )
            await writer.drain()
        except ConnectionError:
            self.left.set()
        finally:
            writer.close()
