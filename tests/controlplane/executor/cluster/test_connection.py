"""What calls of an API server come to; it is a real HTTP server that says what a test tells it."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web
from leoflow_controlplane.error import ExecutorUnusable
from leoflow_controlplane.executor.cluster import connection as module
from leoflow_controlplane.executor.cluster.calls import OPENED, ApiCalls
from leoflow_controlplane.executor.cluster.connect import Access
from leoflow_controlplane.executor.cluster.connection import Connection
from leoflow_controlplane.executor.cluster.fault import (
    Away,
    Gone,
    Refused,
    Throttled,
    Unauthorized,
)
from leoflow_controlplane.executor.cluster.opening import look_at_cluster
from leoflow_controlplane.executor.cluster.permission import check_rights
from leoflow_controlplane.kubernetessetting import KubernetesSettings

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
Serve = Callable[[Answer], Awaitable[Connection]]

TOKEN = "first"


@pytest.fixture
async def serve(tmp_path: Path) -> AsyncIterator[Serve]:
    """Give a way to connect to a server that answers all with a function."""
    runners: list[web.AppRunner] = []
    connections: list[Connection] = []

    async def begin(answer: Answer) -> Connection:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", answer)
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        runners.append(runner)
        host, port = runner.addresses[0][:2]
        write(tmp_path / "kubeconfig", f"http://{host}:{port}", TOKEN)
        connection = Connection(Access(str(tmp_path / "kubeconfig"), None, "runs"))
        await connection.open()
        connections.append(connection)
        return connection

    yield begin
    for connection in connections:
        await connection.close()
    for runner in runners:
        await runner.cleanup()


def write(file: Path, url: str, token: str) -> None:
    """Write a kubeconfig."""
    text = {
        "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": url}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "users": [{"name": "u", "user": {"token": token}}],
    }
    file.write_text(json.dumps(text))


async def test_a_pod_is_created_with_all_its_fields_checked(serve: Serve) -> None:
    asked: list[web.Request] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request)
        return web.json_response(await request.json(), status=201)

    calls = ApiCalls(await serve(answer))
    body = {"metadata": {"name": "p"}}
    assert await calls.create_pod(body, dry_run=True) == body
    (request,) = asked
    assert request.path_qs == ("/api/v1/namespaces/runs/pods?fieldValidation=Strict&dryRun=All")
    assert request.headers["Authorization"] == "Bearer first"
    assert request.headers["User-Agent"] == "leoflow"


async def test_a_token_that_was_renewed_is_read_again(serve: Serve, tmp_path: Path) -> None:
    async def answer(request: web.Request) -> web.Response:
        renewed = request.headers["Authorization"] == "Bearer second"
        return web.json_response({"items": []}, status=200 if renewed else 401)

    connection = await serve(answer)
    calls = ApiCalls(connection)
    connection._renewed_at -= module.RENEWAL_SECONDS
    write(tmp_path / "kubeconfig", connection.host, "second")
    assert (await calls.list_pods("a=b")).items == []


async def test_when_a_token_is_renewed_streams_break_off_and_calls_end(
    serve: Serve, tmp_path: Path
) -> None:
    token, slow = "first", asyncio.Event()

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.headers["Authorization"] != f"Bearer {token}":
            return web.Response(status=401)
        if "watch" in request.query:
            response = web.StreamResponse()
            await response.prepare(request)
            await response.write(ADDED)
            await asyncio.Event().wait()
        if request.path.endswith("/slow"):
            await slow.wait()
        return web.json_response({"kind": "Pod"})

    connection = await serve(answer)
    calls = ApiCalls(connection)
    connection._renewed_at -= module.RENEWAL_SECONDS
    watch = calls.watch_pods("a=b", "1")
    assert [(await anext(watch)).kind for _ in range(2)] == [OPENED, "ADDED"]
    under_way = asyncio.create_task(calls.get_pod("slow"))
    await calls.get_pod("p")
    token = "second"
    write(tmp_path / "kubeconfig", connection.host, token)
    assert await calls.get_pod("p") == {"kind": "Pod"}
    with pytest.raises(Away):
        await anext(watch)
    slow.set()
    assert await under_way == {"kind": "Pod"}


async def test_what_an_admission_refuses_as_unauthorized_says_nothing_of_our_token(
    serve: Serve,
) -> None:
    words = 'admission webhook "guard.example.com" denied the request: it is protected'

    async def answer(request: web.Request) -> web.Response:
        return web.json_response({"kind": "Status", "message": words}, status=401)

    connection = await serve(answer)
    connection._renewed_at -= module.RENEWAL_SECONDS
    line = connection._line
    with pytest.raises(Refused, match="it is protected"):
        await ApiCalls(connection).create_pod({"kind": "Pod"})
    assert connection._line is line


async def test_a_token_that_stays_bad_is_not_read_all_the_time(serve: Serve) -> None:
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.json_response({"kind": "Status", "message": "Unauthorized"}, status=401)

    calls = ApiCalls(await serve(answer))
    for _ in range(3):
        with pytest.raises(Unauthorized, match="Unauthorized"):
            await calls.get_pod("p")
    assert len(asked) == 3


async def test_what_is_busy_says_how_long(serve: Serve) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=429, headers={"Retry-After": "7"})

    calls = ApiCalls(await serve(answer))
    with pytest.raises(Throttled) as busy:
        await calls.create_pod({"metadata": {"name": "p"}})
    assert busy.value.seconds == 7


async def test_a_server_that_does_not_answer_is_away(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def answer(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    connection = await serve(answer)
    with pytest.raises(Away):
        await connection.ask("GET", "/api")
    connection._line.host = "http://127.0.0.1:1"
    with pytest.raises(Away, match=r"(?i)connect"):
        await connection.ask("GET", "/api")


@pytest.mark.parametrize("text", ["<html>Log in</html>", "null", "[]"])
async def test_what_is_no_api_server_is_told(serve: Serve, text: str) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(text=text)

    calls = ApiCalls(await serve(answer))
    with pytest.raises(Away, match="no API server: " + re.escape(text)):
        await calls.get_pod("p")


def watched(*pieces: bytes) -> Answer:
    """Give an answer that comes in pieces."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for piece in pieces:
            await response.write(piece)
        return response

    return answer


ADDED = b'{"type": "ADDED", "object": {"metadata": {"name": "p", "resourceVersion": "1"}}}\n'


async def test_events_are_told_however_they_are_cut(serve: Serve) -> None:
    calls = ApiCalls(await serve(watched(ADDED[:7], ADDED[7:] + ADDED, b"\n")))
    kinds = [event.kind async for event in calls.watch_pods("a=b", "1")]
    assert kinds == [OPENED, "ADDED", "ADDED"]


@pytest.mark.parametrize(
    ("piece", "fault"),
    [
        (b'{"type": "ERROR", "object": {"code": 410}}\n', Gone),
        (b'{"type": "ADDED", "object": {"metadata": {}}}\n', Away),
        (b"<html>\n", Away),
    ],
)
async def test_a_watch_that_goes_wrong_says_so(
    serve: Serve, piece: bytes, fault: type[Exception]
) -> None:
    calls = ApiCalls(await serve(watched(ADDED, piece)))
    with pytest.raises(fault):
        [event async for event in calls.watch_pods("a=b", "1")]


async def test_a_watch_that_is_silent_is_given_up(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    from leoflow_controlplane.executor.cluster import calls as calls_module

    monkeypatch.setattr(calls_module, "SILENCE_SECONDS", 0.05)

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(ADDED)
        assert request.transport is not None
        while not request.transport.is_closing():
            await asyncio.sleep(0.01)
        return response

    calls = ApiCalls(await serve(answer))
    with pytest.raises(Away):
        [event async for event in calls.watch_pods("a=b", "1")]


def reviewing(*denied: str) -> Answer:
    """Give the answers of a server that grants all but some verbs."""

    async def answer(request: web.Request) -> web.Response:
        if request.method == "GET":
            return web.json_response({"kind": "Namespace"})
        said = (await request.json())["spec"]["resourceAttributes"]
        return web.json_response({"status": {"allowed": said["verb"] not in denied}})

    return answer


async def test_rights_that_are_missing_are_named(serve: Serve) -> None:
    await check_rights(await serve(reviewing()), prepull=True)
    with pytest.raises(ExecutorUnusable) as refused:
        await check_rights(await serve(reviewing("watch", "delete")), prepull=True)
    words = "watch pods, delete pods, delete daemonsets (apps). Bind the Role"
    assert words in str(refused.value)


@pytest.mark.parametrize("name", ["Nope_X", "-a", "a" * 64])
async def test_a_name_that_no_namespace_can_have_is_not_asked_for(serve: Serve, name: str) -> None:
    connection = await serve(reviewing())
    connection.namespace = name
    with pytest.raises(ExecutorUnusable, match=f"'{name}' cannot be the name of a namespace"):
        await check_rights(connection, prepull=False)


async def test_a_namespace_that_is_not_there_is_named(serve: Serve) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.json_response({"kind": "Status", "message": "not found"}, status=404)

    with pytest.raises(ExecutorUnusable, match="there is no namespace 'runs' in the cluster at"):
        await check_rights(await serve(answer), prepull=False)


@pytest.mark.parametrize(
    ("status", "words"),
    [(401, "credentials that it was shown: log in"), (503, "Look whether it runs")],
)
async def test_an_api_server_that_cannot_be_used_is_told_with_what_to_do(
    serve: Serve, tmp_path: Path, status: int, words: str
) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=status)

    connection = await serve(answer)
    environment = {"KUBECONFIG": str(tmp_path / "kubeconfig")}
    with pytest.raises(ExecutorUnusable, match=words) as caught:
        await look_at_cluster(KubernetesSettings(), environment)
    assert f"API server at {connection.host} cannot be used: HTTP status {status}" in str(
        caught.value
    )
