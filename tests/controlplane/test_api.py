"""The HTTP surface of agents: shapes, tokens, versions."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, NoReturn

import httpx
import pytest
from fakedesk import INPUTS, REPORT, FakeDesk
from leoflow_agent import wire
from leoflow_controlplane.api import MAX_BODY_BYTES, AgentApp, Reply
from leoflow_controlplane.reportbody import EventBody, ReportBody
from starlette.types import Message


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


async def test_inputs_that_cannot_be_had_are_refused_for_good(client: httpx.AsyncClient) -> None:
    """An agent asks for ever as long as it is told of a defect."""
    headers = {"Authorization": "Bearer less"}
    answer = await client.get(wire.INPUTS_PATH, headers=headers)
    assert (answer.status_code, answer.text) == (400, "there is no instance 7")
    assert answer.headers[wire.PROTOCOL_HEADER] == str(wire.PROTOCOL)


async def test_what_is_not_there_is_said(client: httpx.AsyncClient) -> None:
    assert (await client.get("/nowhere")).status_code == 404
    assert (await client.get(wire.EVENTS_PATH)).status_code == 405


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
