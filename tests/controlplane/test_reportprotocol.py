"""The short way for reports: what takes it, what does not, and that all are answered alike."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from leoflow_controlplane.agentserver import SOCKET_NAME, AgentServer
from leoflow_controlplane.instance import open_instance
from leoflow_controlplane.server.protocol import MAX_HEAD_BYTES, LimitedProtocol
from reportwire import LONG, SHORT, Taker, connect, long_way, settle, spell


@pytest.fixture
def taker() -> Taker:
    return Taker()


async def test_what_an_agent_writes_takes_the_short_way(taker: Taker) -> None:
    protocol, wire = connect(taker.take)
    for number in range(3):
        body = json.dumps({"n": number})
        protocol.data_received(spell(body, "a.b.c"))
        assert taker.taken[-1] == ("a.b.c", body.encode())
        assert not wire.sent
        taker.answer()
        head, _, answer = wire.sent.partition(b"\r\n\r\n")
        assert answer == SHORT
        assert head.split(b"\r\n") == [
            b"HTTP/1.1 200 OK",
            b"content-type: text/plain",
            b"leoflow-protocol: 1",
            b"content-length: %d" % len(SHORT),
        ]
        wire.sent = b""
    assert not wire.closed


def change(old: bytes, new: bytes) -> bytes:
    changed = spell().replace(old, new, 1)
    assert changed != spell()
    return changed


OTHERS = {
    "another path": change(b"/events", b"/inputs"),
    "a query": change(b"/events", b"/events?a=b"),
    "another method": change(b"POST", b"PUT"),
    "HTTP/1.0": change(b"HTTP/1.1", b"HTTP/1.0"),
    "one more header": change(b"Host", b"X-Real-Ip: 1.2.3.4\r\nHost"),
    "no more after this": change(b"Host", b"Connection: close\r\nHost"),
    "a body to be asked for": change(b"Host", b"Expect: 100-continue\r\nHost"),
    "a length said twice": change(b"\r\n\r\n", b"\r\nContent-Length: 13\r\n\r\n"),
    "a chunked body": change(
        b'Content-Length: 13\r\n\r\n{"events":[]}',
        b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    ),
    "another scheme": change(b"Bearer", b"Basic"),
    "no token": change(b"Bearer t", b"Bearer "),
    "bare line ends": spell().replace(b"\r\n", b"\n"),
    "two at once": spell() * 2,
    "the rest is to come": spell()[:-1],
}


@pytest.mark.parametrize("name", OTHERS)
async def test_all_else_is_left_to_uvicorn(taker: Taker, name: str) -> None:
    protocol, wire = connect(taker.take)
    protocol.data_received(OTHERS[name])
    await settle()
    assert not taker.taken
    if name == "the rest is to come":
        assert not wire.sent
        protocol.data_received(spell()[-1:])
        await settle()
    assert wire.sent.startswith((b"HTTP/1.1 200", b"HTTP/1.1 400", b"HTTP/1.1 100"))
    assert not taker.taken
    if wire.closed:
        return
    protocol.data_received(spell())
    assert len(taker.taken) == 1


async def test_a_report_in_any_two_parts_is_one_report(taker: Taker) -> None:
    whole = spell()
    for cut in range(1, len(whole)):
        protocol, wire = connect(taker.take)
        protocol.data_received(whole[:cut])
        protocol.data_received(whole[cut:])
        await settle()
        assert wire.sent.endswith(LONG), cut
        protocol.connection_lost(None)
    assert not taker.taken


async def test_a_report_behind_a_request_that_is_not_answered_waits_for_it(taker: Taker) -> None:
    protocol, wire = connect(taker.take)
    protocol.data_received(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    protocol.data_received(spell())
    await settle()
    assert wire.sent.count(LONG) == 2
    assert not taker.taken


async def test_what_comes_before_the_answer_waits_and_nothing_more_is_read(taker: Taker) -> None:
    protocol, wire = connect(taker.take)
    protocol.data_received(spell("1"))
    protocol.data_received(spell("2")[:30])
    protocol.data_received(spell("2")[30:])
    assert (len(taker.taken), wire.reads) == (1, False)
    taker.answer()
    assert (taker.taken[1:], wire.reads) == ([("t", b"2")], True)
    protocol.data_received(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
    await settle()
    assert LONG not in wire.sent
    taker.answer()
    await settle()
    assert wire.sent.endswith(LONG)


async def test_who_does_not_read_answers_is_not_written_to(taker: Taker) -> None:
    protocol, wire = connect(taker.take)
    protocol.pause_writing()
    protocol.data_received(spell())
    await settle()
    assert (taker.taken, wire.sent) == ([], b"")
    protocol.resume_writing()
    await settle()
    assert wire.sent.endswith(LONG)


async def test_another_may_have_to_answer(taker: Taker) -> None:
    protocol, wire = connect(taker.take)
    taker.here = False
    protocol.data_received(spell())
    await settle()
    assert wire.sent.endswith(LONG)
    taker.here = True
    protocol.data_received(spell())
    assert len(taker.taken) == 1


async def test_an_answer_to_who_hung_up_goes_nowhere(taker: Taker) -> None:
    protocol, wire = connect(taker.take)
    protocol.data_received(spell())
    wire.close()
    protocol.connection_lost(None)
    taker.answer()
    assert not wire.sent


async def test_a_server_that_ends_gives_the_answer_that_is_outstanding(
    taker: Taker, tmp_path: Path
) -> None:
    instance = open_instance(tmp_path)
    server = AgentServer(instance, long_way, taker.take)
    place = str(await server.listen_unix() / SOCKET_NAME)
    idle, unused = await asyncio.open_unix_connection(place)
    reader, writer = await asyncio.open_unix_connection(place)
    writer.write(spell())
    while not taker.taken:
        await asyncio.sleep(0.01)
    closing = asyncio.create_task(server.close())
    async with asyncio.timeout(60):
        assert await idle.read() == b""
        taker.answer()
        answer = await reader.read()
        await closing
    assert answer.endswith(SHORT)
    assert b"\r\nconnection: close\r\n" in answer
    for side in (unused, writer):
        side.close()
    instance.close()


class StillLoop:
    """A loop whose time stands still until it is set."""

    def __init__(self) -> None:
        self.now = 100.0
        self.alarms: list[tuple[float, Callable[[], None]]] = []

    def time(self) -> float:
        return self.now

    def call_later(self, seconds: float, alarm: Callable[[], None]) -> asyncio.TimerHandle:
        self.alarms.append((self.now + seconds, alarm))
        loop = asyncio.get_running_loop()
        return asyncio.TimerHandle(self.now + seconds, alarm, (), loop)

    def ring(self) -> None:
        self.now, alarm = self.alarms.pop()
        alarm()


async def test_a_connection_is_kept_from_its_last_report_on(taker: Taker) -> None:
    protocol, wire = connect(taker.take)
    still = StillLoop()
    protocol.loop = cast(asyncio.AbstractEventLoop, still)
    protocol.timeout_keep_alive = 75
    for at in (100.0, 130.0):
        still.now = at
        protocol.data_received(spell())
        taker.answer()
    assert [at for at, _ in still.alarms] == [175.0]
    still.ring()
    assert (wire.closed, [at for at, _ in still.alarms]) == (False, [205.0])
    protocol.data_received(spell())
    still.ring()
    assert (wire.closed, still.alarms) == (False, [])
    taker.answer()
    still.ring()
    assert wire.closed


async def test_reports_are_no_head_that_does_not_end(taker: Taker) -> None:
    protocol, wire = connect(taker.take, LimitedProtocol)
    assert cast(Any, protocol)._alarm is not None
    report = spell("x" * 2000)
    for _ in range(MAX_HEAD_BYTES // 2000 + 1):
        protocol.data_received(report)
        taker.answer()
    assert cast(Any, protocol)._alarm is None
    assert not wire.closed
    wire.sent = b""
    protocol.data_received(b"GET / HTTP/1.1\r\nX: " + b"x" * MAX_HEAD_BYTES)
    assert b" 431 " in wire.sent
    assert wire.closed
