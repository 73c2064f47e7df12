"""http_api tasks that run in the control plane: the calls, and whole runs of them."""

from __future__ import annotations

import asyncio
import inspect
import json
import zlib
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
    HttpPagination,
    HttpPoll,
    Value,
    XCom,
)
from leoflow_agent.spec import TaskSpec
from leoflow_controlplane.executor.fake import FakeAgent
from leoflow_controlplane.inline import InlineOutcome, InlineRunner, InlineTask
from leoflow_controlplane.inputs import resolve_request
from leoflow_controlplane.observer import Observer
from leoflow_controlplane.outbound.client import make_transport
from leoflow_controlplane.secretsource import FakeSecrets
from leoflow_controlplane.setting import Settings
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
    transport = httpx.MockTransport(streamed(answer))
    return await carry_out(InlineRunner(replace(SETTINGS, **settings), transport), task)


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
    outcome = await ask_for_real(url)
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


async def test_a_call_does_not_reach_the_machine_itself_unless_it_may() -> None:
    outcome = await ask_for_real("http://127.0.0.1:9/x", inline_allowed_hosts=())
    reason = str(outcome.verdict.reason)
    assert "'127.0.0.1' is the machine that leoflow runs on" in reason
    assert "LEOFLOW_INLINE_ALLOWED_HOSTS=127.0.0.1" in reason


@pytest.mark.parametrize("way", ["redirect", "page"])
async def test_nor_is_it_led_there_by_a_server(way: str) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if way == "redirect":
            return httpx.Response(302, headers={"location": "http://169.254.169.254/latest"})
        return httpx.Response(200, json={"next": "http://169.254.169.254/", "items": [1]})

    pages = HttpPagination("url", items="items", path="next", allowed_hosts=("169.254.169.254",))
    call = make_call("http://api/x", pagination=pages if way == "page" else None)
    transport = Forked(httpx.MockTransport(streamed(answer)), SETTINGS)
    outcome = await carry_out(InlineRunner(SETTINGS, transport), call)
    assert "'169.254.169.254' is a cloud's metadata service" in str(outcome.verdict.reason)


class Forked(httpx.AsyncBaseTransport):
    """The host ``api`` is made up, everything else is the network."""

    def __init__(self, made_up: httpx.MockTransport, settings: Settings) -> None:
        self._made_up = made_up
        self._network = make_transport(settings.inline_allowed_hosts, 1, 1)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        way = self._made_up if request.url.host == "api" else self._network
        return await way.handle_async_request(request)


async def test_an_answer_over_the_limit_names_it() -> None:
    outcome = await send(make_call(), reply(text="x" * 200), inline_response_limit_bytes=100)
    assert "longer than 100 bytes" in str(outcome.verdict.reason)
    assert "LEOFLOW_INLINE_RESPONSE_LIMIT_BYTES" in str(outcome.verdict.reason)


async def test_a_small_answer_that_unpacks_to_a_large_one_is_over_the_limit_too() -> None:
    bomb = zlib.compress(b" " * 10_000_000)
    headers = {"content-encoding": "deflate", "content-type": "application/json"}

    async def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers=headers, stream=httpx.ByteStream(bomb))

    runner = InlineRunner(
        replace(SETTINGS, inline_response_limit_bytes=20_000), httpx.MockTransport(answer)
    )
    outcome = await carry_out(runner, make_call())
    assert len(bomb) < 20_000
    assert "unpacks to more than 20000 bytes" in str(outcome.verdict.reason)


async def test_the_limit_of_time_is_for_the_whole_conversation() -> None:
    """Each answer is quick, and there would be no end of them."""
    poll = HttpPoll(HttpCondition(path="state", one_of=("done",)), 0.01)
    call = make_call(poll=poll)
    outcome = await send(call, reply(json={"state": "on"}), inline_http_max_seconds=0.05)
    assert "took longer than 0.05 s" in str(outcome.verdict.reason)


async def test_many_calls_at_once_lose_nothing() -> None:
    async with Server(lambda head: head.split(b" ")[1][1:]) as url:
        runner = InlineRunner(replace(SETTINGS, inline_connections_per_host=20))
        tasks = [make_call(f"{url}/{number}") for number in range(200)]
        outcomes = await asyncio.gather(*(ask(runner, task) for task in tasks))
        await runner.close()
    assert [outcome.value for outcome in outcomes] == [str(number) for number in range(200)]


async def ask_for_real(url: str, **settings: Any) -> InlineOutcome:
    return await carry_out(InlineRunner(replace(SETTINGS, **settings)), make_call(url))


async def carry_out(runner: InlineRunner, task: TaskSpec) -> InlineOutcome:
    try:
        return await ask(runner, task)
    finally:
        await runner.close()


async def ask(runner: InlineRunner, task: TaskSpec) -> InlineOutcome:
    assert isinstance(task.action, HttpAction)
    return await runner.run(InlineTask(task, resolve_request(task.action, {})))


class Counting(Observer):
    """Keeps what it is told of calls."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def inline_began(self) -> None:
        self.told.append("began")

    def inline_ended(self, outcome: str) -> None:
        self.told.append(outcome)


async def test_each_call_is_counted_however_it_ends() -> None:
    begun = asyncio.Event()
    loop = asyncio.get_running_loop()

    async def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/hang":
            loop.call_soon_threadsafe(begun.set)
            await asyncio.Event().wait()
        return httpx.Response(200 if request.url.path == "/good" else 500)

    counting = Counting()
    runner = InlineRunner(SETTINGS, httpx.MockTransport(streamed(answer)), counting)
    await ask(runner, make_call("http://api/good"))
    await ask(runner, make_call("http://api/bad"))
    hanging = asyncio.create_task(ask(runner, make_call("http://api/hang")))
    await begun.wait()
    hanging.cancel()
    await asyncio.wait({hanging})
    await runner.close()
    assert counting.told == ["began", "success", "began", "failed", "began", "cancelled"]
