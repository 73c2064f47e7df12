"""http_api tasks that run in the control plane: the calls, and whole runs of them."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest
from house import SETTINGS, OpenHouse, make_task, states
from leoflow_agent.action import (
    FromEnvironment,
    HttpAction,
    HttpCondition,
    HttpPoll,
    Value,
    XCom,
)
from leoflow_agent.spec import TaskSpec
from leoflow_controlplane.executor.fake import FakeAgent
from leoflow_controlplane.inline import InlineOutcome, InlineRunner, InlineTask
from leoflow_controlplane.inputs import resolve_request
from leoflow_controlplane.secretsource import FakeSecrets
from leoflow_controlplane.verdict import Exit

Answer = Callable[[httpx.Request], httpx.Response]
URL = "http://user:password@api/x"


def make_call(url: str = URL, *upstream: str, **fields: Any) -> TaskSpec:
    task_fields = {
        name: fields.pop(name)
        for name in ("retries", "execution_timeout_seconds", "retry_delay_seconds")
        if name in fields
    }
    return make_task("h", *upstream, action=HttpAction(url, **fields), **task_fields)


async def send(task: TaskSpec, answer: Any, **settings: Any) -> InlineOutcome:
    runner = InlineRunner(replace(SETTINGS, **settings), httpx.MockTransport(streamed(answer)))
    assert isinstance(task.action, HttpAction)
    try:
        return await runner.run(InlineTask(task, resolve_request(task.action, {})))
    finally:
        await runner.close()


def streamed(answer: Any) -> Any:
    """Have the body of an answer come like one from the network."""

    async def stream(request: httpx.Request) -> httpx.Response:
        given = answer(request)
        given = await given if inspect.isawaitable(given) else given
        body = httpx.ByteStream(given.content)
        return httpx.Response(given.status_code, headers=given.headers, stream=body)

    return stream


def reply(status: int = 200, **content: Any) -> Answer:
    return lambda request: httpx.Response(status, **content)


async def test_json_becomes_a_value() -> None:
    outcome = await send(make_call(), reply(json={"a": [1]}))
    assert (outcome.verdict.state, outcome.value) == ("success", '{"a": [1]}')


async def test_other_text_stays_text() -> None:
    assert (await send(make_call(), reply(text='{"a": 1}'))).value == json.dumps('{"a": 1}')


async def test_an_empty_answer_is_none() -> None:
    assert (await send(make_call(), reply(204))).value == "null"


async def test_the_whole_request_is_sent() -> None:
    seen: list[httpx.Request] = []

    def note(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200)

    task = make_call(
        "http://api/x?a=1",
        method="POST",
        query={"b": Value(2)},
        body=Value({"c": 3}),
        headers={"X-Mine": Value("y")},
    )
    await send(task, note)
    assert (seen[0].method, str(seen[0].url)) == ("POST", "http://api/x?a=1&b=2")
    assert json.loads(seen[0].content) == {"c": 3}
    assert seen[0].headers["content-type"] == "application/json"
    assert seen[0].headers["x-mine"] == "y"


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (reply(500), "GET http://api/x was answered with 500"),
        (reply(200, content=b"{", headers={"content-type": "application/json"}), "is not"),
        (reply(200, text="x" * 300), "is 302 bytes of JSON, more than the limit of 256"),
        (reply(200, text="x" * 9000), "more than the limit of 256"),
    ],
)
async def test_what_is_no_success_says_why(answer: Answer, text: str) -> None:
    outcome = await send(make_call(), answer, xcom_limit_bytes=256)
    assert outcome.verdict.state == "failed"
    assert text in str(outcome.verdict.reason)
    assert "password" not in str(outcome.verdict.reason)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (httpx.ConnectError("of geheim"), "got no answer: no connection"),
        (httpx.ReadTimeout("slow"), "within timeout_seconds 30"),
        (httpx.RemoteProtocolError("odd"), "got no answer: the connection broke before"),
        (httpx.LocalProtocolError("Illegal header value b'geheim'"), "answer: LocalProtocolError"),
    ],
)
async def test_what_the_network_does_is_a_failure(error: Exception, text: str) -> None:
    def break_off(request: httpx.Request) -> httpx.Response:
        raise error

    outcome = await send(make_call(request_retries=0), break_off)
    assert text in str(outcome.verdict.reason)


@pytest.mark.parametrize("url", ["nonsense://x", "http://h:99999999", "http://[x", "none"])
async def test_a_url_that_is_none_is_a_failure(url: str) -> None:
    runner = InlineRunner(SETTINGS)
    task = make_call(url)
    assert isinstance(task.action, HttpAction)
    outcome = await runner.run(InlineTask(task, resolve_request(task.action, {})))
    await runner.close()
    assert outcome.verdict.state == "failed"
    assert "cannot be asked for" in str(outcome.verdict.reason)


async def test_the_operators_limit_ends_a_call() -> None:
    async def hang(request: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        return httpx.Response(200)

    outcome = await send(make_call(), hang, inline_http_max_seconds=0.01)
    assert "took longer than 0.01 s" in str(outcome.verdict.reason)


class Server:
    """An HTTP server of a few lines; answers each request with what ``answers`` gives."""

    def __init__(self, answers: Callable[[bytes], bytes]) -> None:
        self._answers = answers

    async def __aenter__(self) -> str:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()
        return f"http://{host}:{port}"

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        body = self._answers(head)
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
            b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
        )
        await writer.drain()
        writer.close()
        await writer.wait_closed()


async def test_a_call_feeds_a_container_and_is_fed_by_one(open_house: OpenHouse) -> None:
    heads: list[bytes] = []

    def answer(head: bytes) -> bytes:
        heads.append(head)
        return b'{"found": true}'

    async with Server(answer) as url, open_house() as house:
        call = make_call(f"{url}/x", "a", query={"from": XCom("a")})
        result = await house.run(make_task("a"), call, make_task("b", "h"))
        inputs = house.executor.started[-1].workload["inputs"]
    assert result.state == "success"
    assert heads[0].startswith(b"GET /x?from=a HTTP/1.1")
    assert inputs["args"] == [{"found": True}]
    assert {"queue", "run", "report", "total"} == set(result.tasks[1].timeline_ms)


async def test_what_a_call_does_is_in_its_log_before_its_verdict(open_house: OpenHouse) -> None:
    answers = [b'{"state": "running"}', b'{"state": "done"}']
    poll = HttpPoll(HttpCondition(path="state", one_of=("done",)), 0.01)
    async with Server(lambda head: answers.pop(0)) as url, open_house() as house:
        key = await house.begin(make_call(url, poll=poll))
        seen = [(update.kind, update.text) async for update in house.plane.watch(key)]
    told = [text for kind, text in seen if kind == "log"]
    assert [text.partition(" ms, ")[2] for text in told] == [
        "state is 'running', again in 0.01 s\n",
        "state is 'done', done\n",
    ]
    last = max(index for index, (kind, _) in enumerate(seen) if kind == "log")
    assert ("state", "success") in [(kind, text) for kind, text in seen[last:]]


async def test_a_call_gets_what_its_task_declares_and_nothing_else(
    open_house: OpenHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    heads: list[bytes] = []

    def answer(head: bytes) -> bytes:
        heads.append(head)
        return b"1"

    monkeypatch.setenv("SERVERS_OWN", "geheim")
    secrets = FakeSecrets({"token": "geheim"})
    async with Server(answer) as url, open_house(secrets=secrets) as house:
        declared = {"Authorization": FromEnvironment("AIRFLOW_VAR_TOKEN", "Bearer ")}
        call = replace(make_call(url, headers=declared), variables=("token",))
        own = replace(make_call(url, headers={"A": FromEnvironment("SERVERS_OWN")}), task_id="own")
        result = await house.run(call, own)
    assert states(result) == {"h": "success", "own": "failed"}
    assert [b"Bearer geheim" in head for head in heads] == [True]
    assert "comes from the variable 'SERVERS_OWN'" in str(result.tasks[1].reason)


async def test_a_call_without_what_it_declares_is_not_made_and_not_tried_again(
    open_house: OpenHouse,
) -> None:
    secrets = FakeSecrets({"token": "geheim"})
    heads: list[bytes] = []

    def answer(head: bytes) -> bytes:
        heads.append(head)
        secrets.variables.clear()
        return b"{"

    async with Server(answer) as url, open_house(secrets=secrets) as house:
        call = replace(make_call(url, retries=5), variables=("token",))
        (task,) = (await house.run(call)).tasks
    assert (task.state, task.try_number, len(heads)) == ("failed", 2, 1)
    assert "AIRFLOW_VAR_TOKEN is not set" in str(task.reason)


async def test_calls_are_not_held_up_by_containers(open_house: OpenHouse) -> None:
    answered = asyncio.Event()

    async def wait_for_call(agent: FakeAgent) -> Exit:
        await agent.start()
        await answered.wait()
        return Exit(await agent.finish())

    def answer(head: bytes) -> bytes:
        answered.set()
        return b"1"

    async with Server(answer) as url, open_house(wait_for_call, max_parallel_tasks=1) as house:
        result = await house.run(make_task("a"), make_call(url))
    assert result.state == "success"


async def test_a_call_that_fails_is_tried_again(open_house: OpenHouse) -> None:
    answers = [b"{", b"2"]
    async with Server(lambda head: answers.pop(0)) as url, open_house() as house:
        (task,) = (await house.run(make_call(url, retries=1))).tasks
    assert (task.state, task.try_number, task.return_value) == ("success", 2, 2)


async def never_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


async def test_a_call_can_be_cancelled(open_house: OpenHouse) -> None:
    async with open_house() as house:
        server = await asyncio.start_server(never_answer, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        key = await house.begin(make_call(f"http://127.0.0.1:{port}", retries=3))
        async for update in house.plane.watch(key):
            if update.text == "running" and update.task_id == "h":
                await house.plane.cancel(key)
        result = await house.plane.result(key)
        server.close()
        await server.wait_closed()
    assert states(result) == {"h": "failed"}
    assert result.tasks[0].reason == "the run was cancelled"
