"""The HTTP surface of agents: shapes, tokens, versions; over a real socket as well."""

from __future__ import annotations

import asyncio
import json
import socket
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NoReturn

import httpx
import pytest
from leoflow_agent import wire
from leoflow_agent.wire import Acknowledgement, Inputs, Pulled, Report
from leoflow_controlplane.agentserver import AgentServer
from leoflow_controlplane.api import MAX_BODY_BYTES, AgentApp, Reply
from leoflow_controlplane.error import DatabaseUnusable, Stale, Unauthorized
from leoflow_controlplane.instance import open_instance
from leoflow_controlplane.model import TryKey
from leoflow_controlplane.reportbody import EventBody, ReportBody
from starlette.types import Message

REPORT = {"protocol": 1, "nonce": "n", "events": [{"seq": 1, "at": 1.0, "type": "heartbeat"}]}
INPUTS = Inputs(args=[1], kwargs={}, environment={}, request=None)


class FakeDesk:
    """Knows the token ``good``, a try that is over, ``old``, and one that fills the disk."""

    def __init__(self) -> None:
        self.reports: list[Report] = []
        self.answer = Acknowledgement(ack=1, terminate=None, heartbeat_seconds=3.0)

    def _check(self, token: str) -> None:
        if token == "torn":
            raise RuntimeError("a defect")
        if token == "old":
            raise Stale("try 1 of task 'a' is over")
        if token == "full":
            raise DatabaseUnusable("disk is full")
        if token != "good":
            raise Unauthorized("unknown token")

    def check_token(self, token: str) -> TryKey:
        if token not in ("good", "old", "full", "torn"):
            raise Unauthorized("unknown token")
        return TryKey("d", "r", "a", -1, 1)

    def take_report(self, token: str, report: Report) -> asyncio.Future[Acknowledgement]:
        self._check(token)
        self.reports.append(report)
        taken: asyncio.Future[Acknowledgement] = asyncio.get_running_loop().create_future()
        taken.set_result(self.answer)
        return taken

    async def give_inputs(self, token: str) -> Inputs:
        self._check(token)
        return INPUTS

    async def give_xcom(self, token: str, task_id: str, key: str, map_index: int) -> Pulled:
        self._check(token)
        return Pulled(value=[task_id, key, map_index], error=None)


@pytest.fixture
def desk() -> FakeDesk:
    return FakeDesk()


@pytest.fixture
async def client(desk: FakeDesk) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(AgentApp(desk))
    headers = {"Authorization": "Bearer good"}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://leoflow", headers=headers
    ) as client:
        yield client


def test_bodies_have_the_fields_of_the_contract() -> None:
    assert set(EventBody.__annotations__) == set(wire.Event.__annotations__)
    assert set(ReportBody.__annotations__) == set(wire.Report.__annotations__)


async def test_a_report_is_acknowledged(client: httpx.AsyncClient, desk: FakeDesk) -> None:
    answer = await client.post(wire.EVENTS_PATH, json=REPORT)
    assert answer.json() == {"ack": 1, "terminate": None, "heartbeat_seconds": 3.0}
    assert desk.reports == [REPORT]


async def test_inputs_are_given(client: httpx.AsyncClient) -> None:
    assert (await client.get(wire.INPUTS_PATH)).json() == INPUTS


async def test_xcoms_are_given(client: httpx.AsyncClient) -> None:
    asked = {"task_id": "a", "key": "k é&=", "map_index": "-1"}
    answer = await client.get(wire.XCOM_PATH, params=asked)
    assert answer.json() == {"value": ["a", "k é&=", -1], "error": None}


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ({"task_id": "a"}, "the parameter 'key' is missing"),
        ({"key": "k"}, "the parameter 'task_id' is missing"),
        ({"task_id": "a", "key": "k", "map_index": "x"}, "map_index 'x' is no whole number"),
        (
            {"task_id": "a", "key": "k", "map_index": str(2**31)},
            "map_index '2147483648' is not between -1 and 2147483647",
        ),
    ],
)
async def test_a_question_that_is_none_is_refused(
    client: httpx.AsyncClient, asked: dict[str, str], text: str
) -> None:
    answer = await client.get(wire.XCOM_PATH, params=asked)
    assert (answer.status_code, answer.text) == (400, text)


@pytest.mark.parametrize(
    ("token", "status"),
    [
        ("Bearer bad", 401),
        ("Bearer old", 409),
        ("Bearer full", 503),
        ("Basic x", 401),
        ("", 401),
    ],
)
async def test_tokens(client: httpx.AsyncClient, token: str, status: int) -> None:
    headers = {"Authorization": token}
    assert (await client.get(wire.INPUTS_PATH, headers=headers)).status_code == status
    asked = {"task_id": "a", "key": "k"}
    answer = await client.get(wire.XCOM_PATH, headers=headers, params=asked)
    assert answer.status_code == status
    answer = await client.post(wire.EVENTS_PATH, json=REPORT, headers=headers)
    assert answer.status_code == status
    assert answer.text


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"events": [{"at": 1.0, "type": "log"}]}, "events.0.seq"),
        ({"events": [{"seq": 0, "at": 1.0, "type": "log"}]}, "events.0.seq"),
        ({"events": [{"seq": 1, "at": 1.0, "type": "dance"}]}, "events.0.type"),
        ({"nonce": ""}, "nonce"),
        ({"protocol": "one"}, "protocol"),
        ({"events": [{"seq": 2**40, "at": 1.0, "type": "log"}]}, "events.0.seq"),
        ({"events": [{"seq": 1, "at": "nan", "type": "log"}]}, "events.0.at"),
    ],
)
async def test_a_malformed_report_is_told_where(
    client: httpx.AsyncClient, desk: FakeDesk, change: dict[str, Any], place: str
) -> None:
    answer = await client.post(wire.EVENTS_PATH, json={**REPORT, **change})
    assert answer.status_code == 400
    assert f"malformed at '{place}'" in answer.text
    assert not desk.reports


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000])
async def test_what_is_no_json_is_refused(client: httpx.AsyncClient, body: bytes) -> None:
    assert (await client.post(wire.EVENTS_PATH, content=body)).status_code == 400


async def test_an_unknown_protocol_is_told_what_to_do(client: httpx.AsyncClient) -> None:
    answer = await client.post(wire.EVENTS_PATH, json={**REPORT, "protocol": 99, "events": None})
    assert answer.status_code == 426
    assert "protocol '99'" in answer.text
    assert "leoflow build" in answer.text
    assert (await client.get(wire.INPUTS_PATH, params={"protocol": 99})).status_code == 426


async def test_an_endless_body_is_refused(client: httpx.AsyncClient) -> None:
    answer = await client.post(wire.EVENTS_PATH, content=b" " * (MAX_BODY_BYTES + 1))
    assert answer.status_code == 413


@pytest.mark.parametrize("path", [wire.EVENTS_PATH, wire.INPUTS_PATH, "/nowhere"])
async def test_each_answer_is_marked_as_a_control_planes(
    client: httpx.AsyncClient, path: str
) -> None:
    for headers in ({}, {"Authorization": "Bearer bad"}):
        answer = await client.get(path, headers=headers)
        assert answer.headers[wire.PROTOCOL_HEADER] == "1"


@pytest.mark.parametrize(("escaped", "kept"), [("a\\ud800", "a?"), ("a\\u0000", "a\ufffd")])
async def test_text_that_no_store_can_hold_is_made_storable(
    client: httpx.AsyncClient, desk: FakeDesk, escaped: str, kept: str
) -> None:
    event = '{"seq":1,"at":1,"type":"log","text":"' + escaped + '"}'
    body = '{"protocol":1,"nonce":"n","events":[' + event + "]}"
    assert (await client.post(wire.EVENTS_PATH, content=body)).status_code == 200
    assert desk.reports[0]["events"][0]["text"] == kept


async def test_a_value_of_any_depth_is_taken(client: httpx.AsyncClient, desk: FakeDesk) -> None:
    value = "[" * 300 + "]" * 300
    event = '{"seq":1,"at":1,"type":"xcom","key":"k","value":' + value + "}"
    body = '{"protocol":1,"nonce":"n","events":[' + event + "]}"
    assert (await client.post(wire.EVENTS_PATH, content=body)).status_code == 200
    assert str(desk.reports[0]["events"][0]["value"]) == value


@pytest.mark.parametrize("token", ["good", "bad", "old", "full"])
@pytest.mark.parametrize(
    "body",
    [
        json.dumps(REPORT).encode(),
        b"{",
        b'{"protocol":9}',
        b'{"protocol":1,"nonce":"","events":[]}',
    ],
)
async def test_a_report_is_answered_alike_on_both_ways(
    client: httpx.AsyncClient, desk: FakeDesk, token: str, body: bytes
) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    long = await client.post(wire.EVENTS_PATH, content=body, headers=headers)
    replied: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
    assert AgentApp(desk).take_report(token, body, replied.set_result)
    status, (_, kind), text = await replied
    assert (status, text) == (long.status_code, long.content)
    assert kind.decode() == long.headers["content-type"]


@pytest.mark.parametrize("more", [{"terminate": "it takes too long"}, {"token": "fresh"}])
async def test_all_that_an_acknowledgement_says_arrives(
    desk: FakeDesk, more: dict[str, str]
) -> None:
    desk.answer.update(more)  # type: ignore[typeddict-item]
    replied: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
    AgentApp(desk).take_report("good", json.dumps(REPORT).encode(), replied.set_result)
    assert json.loads((await replied).body) == desk.answer


async def test_a_defect_is_answered_too(desk: FakeDesk, caplog: pytest.LogCaptureFixture) -> None:
    replied: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
    AgentApp(desk).take_report("torn", json.dumps(REPORT).encode(), replied.set_result)
    assert (await replied).status == 500
    assert "a defect" in caplog.text


async def test_what_is_not_there_is_said(client: httpx.AsyncClient) -> None:
    assert (await client.get("/nowhere")).status_code == 404
    assert (await client.get(wire.EVENTS_PATH)).status_code == 405


async def test_it_serves_on_a_socket_that_only_containers_can_reach(
    tmp_path: Path, desk: FakeDesk
) -> None:
    instance = open_instance(tmp_path)
    server = AgentServer(instance, AgentApp(desk))
    folder = await server.listen_unix()
    assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755
    assert stat.S_IMODE((folder / "agent.sock").stat().st_mode) == 0o666
    transport = httpx.AsyncHTTPTransport(uds=str(folder / "agent.sock"))
    async with httpx.AsyncClient(transport=transport, base_url="http://leoflow") as client:
        answer = await client.post(
            wire.EVENTS_PATH, json=REPORT, headers={"Authorization": "Bearer good"}
        )
    assert answer.status_code == 200
    assert answer.headers["content-length"] == str(len(answer.content))
    await server.close()
    instance.close()
    assert not folder.parent.exists()


async def test_over_the_network_it_listens_on_loopback_only(tmp_path: Path, desk: FakeDesk) -> None:
    instance = open_instance(tmp_path)
    server = AgentServer(instance, AgentApp(desk))
    port = await server.listen_tcp()
    assert port == await server.listen_tcp()
    assert server._servers[0][1].getsockname()[0] == "127.0.0.1"
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"http://127.0.0.1:{port}{wire.INPUTS_PATH}")
    assert answer.status_code == 401
    await server.close()
    instance.close()


async def test_over_the_network_an_answer_is_not_held_back(tmp_path: Path, desk: FakeDesk) -> None:
    """By Nagle's algorithm and the delayed acknowledgement together: 40 ms for each report."""
    instance = open_instance(tmp_path)
    server = AgentServer(instance, AgentApp(desk))
    url = f"http://127.0.0.1:{await server.listen_tcp()}{wire.EVENTS_PATH}"
    headers = {"Authorization": "Bearer good"}
    async with httpx.AsyncClient(trust_env=False, headers=headers) as client:
        assert (await client.post(url, json=REPORT)).status_code == 200
        (connection,) = server._servers[0][0].server_state.connections
        accepted = connection.transport.get_extra_info("socket")
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    await server.close()
    instance.close()


async def test_the_body_of_who_has_no_token_is_not_even_read(desk: FakeDesk) -> None:
    async def receive() -> NoReturn:
        raise AssertionError("the body is asked for")

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(b"authorization", b"Bearer nonsense")]
    scope = {"type": "http", "method": "POST", "path": wire.EVENTS_PATH, "headers": headers}
    await AgentApp(desk)(scope, receive, send)
    assert sent[0]["status"] == 401
