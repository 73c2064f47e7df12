"""http_api tasks that run in the control plane: whole runs of them, through the process that sends
their requests."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest
from house import OpenHouse, make_call, make_task, states
from leoflow_agent.action import FromEnvironment, HttpCondition, HttpPoll, XCom
from leoflow_controlplane.executor.fake import FakeAgent
from leoflow_controlplane.secretsource import FakeSecrets
from leoflow_controlplane.verdict import Exit


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
