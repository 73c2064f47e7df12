"""A replica that does not lead hands on what only the leader can answer, once, and nothing else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest
from leoflow_controlplane.error import DatabaseUnusable
from leoflow_controlplane.server.forward import FORWARDED, Forwarder
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

LEADER = "http://leader:1"


async def echo(request: Request) -> Response:
    """Say what came, as the leader."""
    body = await request.body()
    told = {
        "path": request.scope["raw_path"].decode() + "?" + request.url.query,
        "method": request.method,
        "length": len(body),
        "headers": dict(request.headers),
    }
    return JSONResponse(told, 201, {"x-leader": "yes", "connection": "close"})


async def stream(request: Request) -> Response:
    async def lines() -> AsyncIterator[str]:
        yield '{"state": "running"}\n'
        yield '{"state": "success"}\n'

    return StreamingResponse(lines())


async def here(request: Request) -> Response:
    return Response("here")


def app_of(endpoint: object) -> Starlette:
    methods = ["GET", "POST", "PATCH", "PUT", "DELETE"]
    return Starlette(routes=[Route("/{path:path}", endpoint, methods=methods)])  # type: ignore[arg-type]


ECHO = app_of(echo)


class Replica:
    """A replica before a leader that is an app."""

    def __init__(self, leader: ASGIApp | httpx.AsyncBaseTransport = ECHO) -> None:
        transport = (
            leader if isinstance(leader, httpx.AsyncBaseTransport) else httpx.ASGITransport(leader)
        )
        self.leads = False
        self.url: str | None = LEADER
        self.trouble: Exception | None = None
        app = Forwarder(
            app_of(here),
            lambda: self.leads,
            self.find,
            httpx.AsyncClient(transport=transport),
            look_seconds=0.01,
        )
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://replica"
        )

    async def find(self) -> str | None:
        if self.trouble is not None:
            raise self.trouble
        return self.url


@pytest.mark.parametrize(
    ("method", "path", "handed_on"),
    [
        ("GET", "/api/v2/dags", False),
        ("POST", "/api/v2/dags", True),
        ("PATCH", "/api/v2/dags/d", True),
        ("DELETE", "/api/v2/dags/d", True),
        ("GET", "/api/v2/dags/d/dagRuns/r/wait", True),
        ("GET", "/api/v2/dags/d/dagRuns/r/taskInstances/t/logs/1?follow=true", True),
        ("GET", "/api/v2/dags/d/dagRuns/r/taskInstances/t/logs/1?follow=false", False),
        ("POST", "/agent/v1/events", True),
        ("GET", "/agent/v1/inputs", True),
        ("GET", "/openapi.json", False),
    ],
)
async def test_what_is_handed_on(method: str, path: str, handed_on: bool) -> None:
    replica = Replica()
    answer = await replica.client.request(method, path)
    assert ("x-leader" in answer.headers) == handed_on
    replica.leads = True
    assert (await replica.client.request(method, path)).text == "here"


async def test_a_request_arrives_as_it_was_sent() -> None:
    headers = {"Authorization": "Bearer t", "Connection": "close, x-hop", "X-Hop": "1"}

    async def body() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"x" * 1000

    answer = await Replica().client.post("/api/v2/a%2Fb?q=%20", content=body(), headers=headers)
    told = answer.json()
    assert (answer.status_code, told["length"], told["path"]) == (201, 3000, "/api/v2/a%2Fb?q=%20")
    assert told["headers"]["authorization"] == "Bearer t"
    assert told["headers"][FORWARDED] == "1"
    assert told["headers"]["host"] == "leader:1"
    assert "x-hop" not in told["headers"]
    assert "connection" not in answer.headers


async def test_a_stream_is_passed_back() -> None:
    answer = await Replica(app_of(stream)).client.get("/api/v2/dags/d/dagRuns/r/wait")
    assert [json.loads(line)["state"] for line in answer.text.splitlines()] == [
        "running",
        "success",
    ]


async def test_nothing_goes_round_in_circles() -> None:
    answer = await Replica().client.post("/api/v2/dags", headers={FORWARDED: "1"})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


async def test_without_a_leader_one_is_to_come_again() -> None:
    replica = Replica()
    replica.url = None
    answer = await replica.client.post("/api/v2/dags")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert (await replica.client.get("/api/v2/dags")).text == "here"


async def test_without_a_database_one_is_to_come_again() -> None:
    replica = Replica()
    replica.trouble = DatabaseUnusable("it is away")
    answer = await replica.client.post("/agent/v1/events")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


async def test_a_leader_that_was_stopped_is_not_waited_for_once_another_one_leads() -> None:
    """Its kernel takes the request, and nobody ever answers."""
    replica: Replica

    async def be_stopped(_request: Request) -> Response:
        replica.url = "http://another:1"
        await asyncio.Event().wait()
        return Response()

    replica = Replica(app_of(be_stopped))
    answer = await asyncio.wait_for(replica.client.post("/agent/v1/events"), 10)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")


async def test_a_leader_that_is_gone_is_told_as_such() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    answer = await Replica(httpx.MockTransport(refuse)).client.post("/agent/v1/events")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
