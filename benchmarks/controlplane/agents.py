"""Plays the agents of all tries in one process, over keep-alive connections."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from benchmarks.controlplane.server import SOCKET

# Of an answer: its status and the length of what follows.
_HEAD = re.compile(
    rb"HTTP/1\.1 ([0-9]{3}) .*?\r\ncontent-length: ([0-9]+)\b.*?\r\n\r\n",
    re.DOTALL | re.IGNORECASE,
)


class Launched(NamedTuple):
    """A try that was handed to the executor, at an instant of the monotonic clock."""

    handed_at: float
    token: str
    key: tuple[str, str, str, int, int]


class Connection(asyncio.Protocol):
    """One HTTP connection with one request at a time."""

    def __init__(self) -> None:
        self._buffer = b""
        self._answered: asyncio.Future[int] | None = None
        self._transport: Any = None

    def connection_made(self, transport: Any) -> None:
        """Keep the transport."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Find the end of the answer."""
        self._buffer += data
        head = _HEAD.match(self._buffer)
        if head is None or len(self._buffer) < head.end() + int(head[2]):
            return
        self._buffer = b""
        if self._answered is not None and not self._answered.done():
            self._answered.set_result(int(head[1]))

    async def post(self, report: bytes) -> int:
        """Send a report; return the status of the answer."""
        self._answered = asyncio.get_running_loop().create_future()
        self._transport.write(report)
        return await self._answered


def spell_report(token: str, nonce: str, events: str) -> bytes:
    """Write a report as an agent does."""
    body = f'{{"protocol":1,"nonce":"{nonce}","events":{events}}}'
    head = (
        f"POST /agent/v1/events HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return (head + body).encode("ascii")


class Agents:
    """Two reports for each try: that it started, and its value with its end; in one if it is
    ``brief``, as an agent's whose task is over before it has reported.

    ``pace`` is awaited before each report; ``sent`` is told of each last report.
    """

    def __init__(self, home: Path, connections: int) -> None:
        self.finished = 0
        self.refused = 0
        self.launches: asyncio.Queue[Launched] = asyncio.Queue()
        self.figures: asyncio.Queue[tuple[float, int]] = asyncio.Queue()
        self.registered: asyncio.Queue[None] = asyncio.Queue()
        self.succeeded: asyncio.Queue[int] = asyncio.Queue()
        self.on_launch: Callable[[Launched], None] | None = None
        self.on_finish: Callable[[Launched, float], None] | None = None
        self.start_seconds = 0.0
        self.brief = False
        self._home = home
        self._count = connections
        self._free: deque[Connection] = deque()
        self._waiting: deque[asyncio.Future[Connection]] = deque()
        self._writer: Any = None
        self._ended: list[tuple[str, str, str, int, int]] = []
        self._tasks: set[asyncio.Task[Any]] = set()

    async def connect(self) -> None:
        """Connect to the server, which has to be there."""
        reader, self._writer = await asyncio.open_unix_connection(self._home / SOCKET, limit=2**24)
        _, endpoint, self.start_seconds = json.loads(await reader.readline())
        loop = asyncio.get_running_loop()
        place = urlsplit(endpoint)
        for _ in range(self._count):
            made = await loop.create_connection(Connection, place.hostname, place.port)
            self._free.append(made[1])
        self._spawn(self._listen(reader))

    def ask(self, *line: Any) -> None:
        """Send the server a line."""
        self._writer.write(json.dumps(line).encode() + b"\n")

    def end(self, launched: Launched) -> None:
        """Tell of the end of a container, with all others of this moment."""
        self.finished += 1
        if not self._ended:
            asyncio.get_running_loop().call_soon(self._tell_ends)
        self._ended.append(launched.key)

    async def play(self, launched: Launched) -> None:
        """Report the start and the end of a try."""
        if not self.brief:
            await self.report(launched, STARTED)
        sent_at = time.perf_counter()
        if self.on_finish is not None:
            self.on_finish(launched, sent_at)
        await self.report(launched, f"{STARTED[:-1]},{FINISHED[1:]}" if self.brief else FINISHED)
        self.end(launched)

    async def report(self, launched: Launched, events: str) -> None:
        """Send one report over a free connection."""
        connection = await self._take()
        nonce = f"n{launched.handed_at}"
        status = await connection.post(spell_report(launched.token, nonce, events))
        self._give(connection)
        self.refused += status != 200

    def _tell_ends(self) -> None:
        self.ask("ended", self._ended)
        self._ended = []

    def close(self) -> None:
        """Let the server go."""
        self._writer.close()
        for task in self._tasks:
            task.cancel()

    async def _take(self) -> Connection:
        if self._free:
            return self._free.popleft()
        waiting: asyncio.Future[Connection] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        return await waiting

    def _give(self, connection: Connection) -> None:
        if self._waiting:
            self._waiting.popleft().set_result(connection)
        else:
            self._free.append(connection)

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        async for text in reader:
            kind, *rest = json.loads(text)
            if kind == "launched":
                for handed_at, token, key in rest[0]:
                    launched = Launched(handed_at, token, tuple(key))
                    if self.on_launch is not None:
                        self.on_launch(launched)
                    self._spawn(self.play(launched))
            elif kind == "figures":
                self.figures.put_nowait((rest[0], rest[1]))
            elif kind == "succeeded":
                self.succeeded.put_nowait(rest[0])
            elif kind == "registered":
                self.registered.put_nowait(None)

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


STARTED = (
    '[{"seq":1,"at":1.0,"type":"started","agent_up":1.0},'
    '{"seq":2,"at":1.0,"type":"entered","import_started":1.0,"entered":1.0}]'
)
FINISHED = (
    '[{"seq":3,"at":1.0,"type":"xcom","key":"return_value","value":{"rows":42}},'
    '{"seq":4,"at":1.0,"type":"finished","state":"success","reason":null,"exit_code":0,'
    '"left":1.0}]'
)
