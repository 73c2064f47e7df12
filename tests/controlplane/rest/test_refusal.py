"""What is refused, and that nothing of the inside is told."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from conftest import World, built_dag
from leoflow_controlplane.error import DatabaseUnusable, NotLeading
from leoflow_controlplane.rest import bodylimit
from leoflow_controlplane.rest.api import make_api
from leoflow_controlplane.rest.app import RestApp, RestLimits
from leoflow_controlplane.rest.bodylimit import LIMIT_BYTES, BodyLimit
from leoflow_controlplane.rest.crowd import Crowd
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

RUNS = "/api/v2/dags/d/dagRuns"


async def test_a_parameter_that_is_unknown_is_named(api: httpx.AsyncClient) -> None:
    answer = await api.get(f"{RUNS}?stat=failed&limit=1")
    assert answer.status_code == 422
    assert [mistake["loc"] for mistake in answer.json()["detail"]] == [["query", "stat"]]


async def test_what_a_model_refuses_is_told_in_its_own_words(api: httpx.AsyncClient) -> None:
    dates = {"from_date": "2026-01-02T00:00:00Z", "to_date": "2026-01-01T00:00:00Z"}
    answer = await api.post("/api/v2/backfills", json={"dag_id": "d", **dates})
    assert answer.status_code == 422
    words = "to_date '2026-01-01 00:00:00+00:00' is before from_date '2026-01-02 00:00:00+00:00'"
    assert [one["msg"] for one in answer.json()["detail"]] == [words]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b'{"conf": {"a": NaN}}', "NaN"),
        (b'{"conf": {"a": 1, "a": 2}}', "twice"),
        (b'{"conf": {"a": "\\ud800"}}', "surrogate"),
        (b'{"conf": {"a": "\\u0000"}}', "u0000"),
        (b'{"conf": "\xff"}', "UTF-8"),
        (b"{", "not JSON"),
        (b"[" * 100_000, "nested"),
    ],
)
async def test_json_that_others_could_not_read_is_refused(
    api: httpx.AsyncClient, body: bytes, says: str
) -> None:
    answer = await api.post(RUNS, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert says in answer.json()["detail"]


async def test_a_backslash_is_no_escape(api: httpx.AsyncClient) -> None:
    conf = {"a": "C:\\u0000 and ä"}
    answer = await api.post(RUNS, json={"conf": conf})
    assert answer.json()["conf"] == conf


@pytest.mark.parametrize("path", ["/api/v2/dags/a%00b", "/api/v2/dags/d/dagRuns/%00"])
async def test_a_nul_is_in_no_name(api: httpx.AsyncClient, path: str) -> None:
    assert (await api.get(path)).status_code == 404
    assert (await api.get("/api/v2/dags?dag_id_pattern=%00")).status_code == 422


@pytest.mark.parametrize(
    ("error", "status"), [(DatabaseUnusable("away"), 503), (NotLeading("not me"), 503)]
)
async def test_trouble_that_passes_says_when_to_come_again(
    api: httpx.AsyncClient, world: World, error: Exception, status: int
) -> None:
    async def fail(*_: Any) -> None:
        raise error

    world.commands.pause_dag = fail  # type: ignore[method-assign]
    answer = await api.patch("/api/v2/dags/d", json={"is_paused": True})
    assert (answer.status_code, answer.json()["detail"]) == (status, str(error))
    assert answer.headers["retry-after"] == "1"


async def test_a_bug_is_told_by_its_number_alone(
    api: httpx.AsyncClient, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(*_: Any) -> None:
        raise RuntimeError("the password is hush")

    world.commands.pause_dag = fail  # type: ignore[method-assign]
    with caplog.at_level(logging.ERROR, "leoflow.rest"):
        answer = await api.patch("/api/v2/dags/d", json={"is_paused": True})
    assert answer.status_code == 500
    number = answer.json()["detail"].split()[2].rstrip(".")
    assert "hush" not in answer.text
    assert number in caplog.text


async def test_bodies_have_a_limit_by_what_they_say_and_by_what_comes(
    api: httpx.AsyncClient,
) -> None:
    long = b'{"note": "' + b"x" * LIMIT_BYTES + b'"}'

    async def in_parts() -> AsyncIterator[bytes]:
        for start in range(0, len(long), 65536):
            yield long[start : start + 65536]

    json_type = {"Content-Type": "application/json"}
    assert (await api.post(RUNS, content=long, headers=json_type)).status_code == 413
    assert (await api.post(RUNS, content=in_parts(), headers=json_type)).status_code == 413
    pushed = built_dag("e", description="x" * LIMIT_BYTES)
    assert (await api.post("/api/v2/dags", json=pushed)).status_code == 201


async def test_every_answer_is_safe_in_a_browser(api: httpx.AsyncClient, world: World) -> None:
    async with world.client(None) as anonymous:
        for answer in (
            await api.get("/api/v2/dags"),
            await api.get("/nothing"),
            await anonymous.get("/api/v2/dags"),
        ):
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["cache-control"] == "no-store"
            assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
            assert "access-control-allow-origin" not in answer.headers


async def test_who_comes_when_it_is_full_is_told_to_come_again() -> None:
    inside, release = asyncio.Event(), asyncio.Event()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        inside.set()
        await release.wait()
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    app = Crowd(slow, requests=1, streams=1)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
        first = asyncio.create_task(client.get("/a"))
        await inside.wait()
        assert (await client.get("/a")).status_code == 503
        # Streams do not take the place of requests, nor the other way round.
        inside.clear()
        stream = asyncio.create_task(client.get("/a?follow=true"))
        await inside.wait()
        assert (await client.get("/r/wait")).status_code == 503
        release.set()
        assert [(await first).status_code, (await stream).status_code] == [204, 204]
        assert (await client.get("/a")).status_code == 204


async def test_pages_of_documentation_are_off_unless_wanted(world: World) -> None:
    async with world.client() as client:
        assert (await client.get("/openapi.json")).status_code == 200
        assert (await client.get("/docs")).status_code == 404
    app = RestApp(make_api(world.office, RestLimits(docs=True)), world.keyring)
    async with world.client(app=app) as client:
        assert (await client.get("/docs")).status_code == 200


async def test_a_body_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodylimit, "BODY_SECONDS", 0.01)

    async def read_all(scope: Scope, receive: Receive, send: Send) -> None:
        await Request(scope, receive).body()

    parts = iter([{"type": "http.request", "body": b"{", "more_body": True}])

    async def receive() -> Message:
        for part in parts:
            return part
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    async def send(message: Message) -> None:
        raise AssertionError(f"{message} is sent")

    scope = {"type": "http", "method": "POST", "path": "/api/v2/dags", "headers": []}
    with pytest.raises(HTTPException) as refused:
        await BodyLimit(read_all)(scope, receive, send)
    assert refused.value.status_code == 408
