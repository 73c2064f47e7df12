"""The two ends of a connection of agents in one process: what is written to it, and who answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import uvicorn
from leoflow_agent.channel import Channel
from leoflow_agent.wire import EVENTS_PATH
from leoflow_controlplane.api import Reply
from leoflow_controlplane.reportprotocol import ReportProtocol, TakeReport
from uvicorn.server import ServerState

KIND = (b"content-type", b"text/plain")
LONG = b"the long way"
SHORT = b"the short way"


class Unconnected(Channel):
    """An agent's channel that only writes its requests down."""

    def _connect(self) -> None:
        pass


def spell(body: str = '{"events":[]}', token: str = "t") -> bytes:
    """Write a report exactly as agents do."""
    channel = Unconnected("http://127.0.0.1:80", token)
    channel.request("POST", EVENTS_PATH, 0.0, body)
    return channel._outgoing


class Wire(asyncio.Transport):
    """Keeps what is written, and can say that it was closed."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = b""
        self.closed = False
        self.reads = True

    def write(self, data: Any) -> None:
        self.sent += data

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def pause_reading(self) -> None:
        self.reads = False

    def resume_reading(self) -> None:
        self.reads = True


class Taker:
    """Holds reports until they are answered; ``here`` says whether it takes any."""

    def __init__(self) -> None:
        self.here = True
        self.taken: list[tuple[str, bytes]] = []
        self.waiting: list[Callable[[Reply], None]] = []

    def take(self, token: str, body: bytes, answer: Callable[[Reply], None]) -> bool:
        if self.here:
            self.taken.append((token, body))
            self.waiting.append(answer)
        return self.here

    def answer(self) -> None:
        self.waiting.pop(0)(Reply(200, KIND, SHORT))


async def long_way(_scope: Any, receive: Any, send: Any) -> None:
    while (await receive()).get("more_body"):
        pass
    length = (b"content-length", b"%d" % len(LONG))
    await send({"type": "http.response.start", "status": 200, "headers": [length]})
    await send({"type": "http.response.body", "body": LONG})


def connect(
    take: TakeReport, kind: type[ReportProtocol] = ReportProtocol
) -> tuple[ReportProtocol, Wire]:
    config = uvicorn.Config(long_way, lifespan="off", log_config=None)
    loop = asyncio.get_running_loop()
    protocol, wire = kind(config, ServerState(), {}, loop, take=take), Wire()
    protocol.connection_made(wire)
    return protocol, wire


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)
