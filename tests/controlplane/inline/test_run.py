"""http_api tasks that run in the control plane: whole runs of them, through the process that sends
their requests."""

from __future__ import annotations

import asyncio
import errno
from dataclasses import replace
from functools import partial

import pytest
from callee import Callee
from house import OpenHouse, make_call, make_task, states
from leoflow_agent.action import FromEnvironment, HttpCondition, HttpPoll, XCom
from leoflow_controlplane import inlinecalls
from leoflow_controlplane.audience import Audience
from leoflow_controlplane.controlplane import Role
from leoflow_controlplane.executor.fake import FakeAgent
from leoflow_controlplane.inline.calls import MAX_DEATHS, Calls, Patience
from leoflow_controlplane.inline.process import Process
from leoflow_controlplane.liverun import retry
from leoflow_controlplane.observer import Observer
from leoflow_controlplane.secretsource import FakeSecrets
from leoflow_controlplane.verdict import Exit

QUICK = Patience(idle_seconds=60.0, silence_seconds=60.0, pauses_seconds=(0.0,))


async def test_a_call_feeds_a_container_and_is_fed_by_one(open_house: OpenHouse) -> None:
    async with Callee(lambda head: b'{"found": true}') as callee, open_house() as house:
        call = make_call(f"{callee.url}/x", "a", query={"from": XCom("a")})
        result = await house.run(make_task("a"), call, make_task("b", "h"))
        inputs = house.executor.started[-1].workload["inputs"]
    assert result.state == "success"
    assert callee.heads[0].startswith(b"GET /x?from=a HTTP/1.1")
    assert inputs["args"] == [{"found": True}]
    assert {"queue", "run", "report", "total"} == set(result.tasks[1].timeline_ms)


async def test_what_a_call_does_is_in_its_log_before_its_verdict(open_house: OpenHouse) -> None:
    answers = [b'{"state": "running"}', b'{"state": "done"}']
    poll = HttpPoll(HttpCondition(path="state", one_of=("done",)), 0.01)
    async with Callee(lambda head: answers.pop(0)) as callee, open_house() as house:
        key = await house.begin(make_call(callee.url, poll=poll))
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
    monkeypatch.setenv("SERVERS_OWN", "geheim")
    secrets = FakeSecrets({"token": "geheim"})
    async with Callee(lambda head: b"1") as callee, open_house(secrets=secrets) as house:
        declared = {"Authorization": FromEnvironment("AIRFLOW_VAR_TOKEN", "Bearer ")}
        call = replace(make_call(callee.url, headers=declared), variables=("token",))
        own = replace(
            make_call(callee.url, headers={"A": FromEnvironment("SERVERS_OWN")}), task_id="own"
        )
        result = await house.run(call, own)
    assert states(result) == {"h": "success", "own": "failed"}
    assert [b"Bearer geheim" in head for head in callee.heads] == [True]
    assert "comes from the variable 'SERVERS_OWN'" in str(result.tasks[1].reason)


async def test_a_call_without_what_it_declares_is_not_made_and_not_tried_again(
    open_house: OpenHouse,
) -> None:
    secrets = FakeSecrets({"token": "geheim"})

    def answer(head: bytes) -> bytes:
        secrets.variables.clear()
        return b"{"

    async with Callee(answer) as callee, open_house(secrets=secrets) as house:
        call = replace(make_call(callee.url, retries=5), variables=("token",))
        (task,) = (await house.run(call)).tasks
    assert (task.state, task.try_number, len(callee.heads)) == ("failed", 2, 1)
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

    async with Callee(answer) as callee, open_house(wait_for_call, max_parallel_tasks=1) as house:
        result = await house.run(make_task("a"), make_call(callee.url))
    assert result.state == "success"


async def test_a_call_that_fails_is_tried_again(open_house: OpenHouse) -> None:
    answers = [b"{", b"2"]
    async with Callee(lambda head: answers.pop(0)) as callee, open_house() as house:
        (task,) = (await house.run(make_call(callee.url, retries=1))).tasks
    assert (task.state, task.try_number, task.return_value) == ("success", 2, 2)


async def test_no_process_to_make_a_call_is_not_the_fault_of_the_call(
    open_house: OpenHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusals = [OSError(errno.EAGAIN, "Resource temporarily unavailable")] * MAX_DEATHS
    start = Process.start

    async def start_at_last(limit: int) -> Process:
        if refusals:
            raise refusals.pop()
        return await start(limit)

    quick = partial(Calls, start=start_at_last, patience=QUICK)
    monkeypatch.setattr(inlinecalls, "Calls", quick)
    monkeypatch.setattr(retry, "MACHINERY_FIRST_SECONDS", 0.01)
    async with Callee(lambda head: b"1") as callee, open_house() as house:
        (task,) = (await house.run(make_call(callee.url))).tasks
    assert (task.state, task.try_number, len(callee.heads)) == ("success", 2, 1)


async def test_a_call_can_be_cancelled(open_house: OpenHouse) -> None:
    async with Callee(lambda head: None) as callee, open_house() as house:
        key = await house.begin(make_call(callee.url, retries=3))
        await callee.asked.wait()
        await house.plane.cancel(key)
        result = await house.plane.wait(key)
        await callee.left.wait()
    assert states(result) == {"h": "failed"}
    assert result.tasks[0].reason == "the run was cancelled"


async def test_many_calls_of_a_run_lose_nothing(open_house: OpenHouse) -> None:
    async with Callee(lambda head: head.split(b" ")[1][1:]) as callee:
        calls = [make_call(f"{callee.url}/{n}", task_id=f"h{n}") for n in range(200)]
        async with open_house(max_inline_calls=50) as house:
            result = await house.run(*calls, make_task("a", *(call.task_id for call in calls)))
            inputs = house.executor.started[-1].workload["inputs"]
    assert result.state == "success"
    assert inputs["args"] == list(range(200))


async def test_calls_that_a_control_plane_left_are_taken_up_by_the_next_one(
    open_house: OpenHouse,
) -> None:
    answers = [None, b"1"]
    async with Callee(lambda head: answers.pop(0)) as callee:
        async with open_house(role=Role(is_server=True)) as house:
            key = await house.begin(make_call(callee.url))
            await callee.asked.wait()
        async with open_house(role=Role(is_server=True)) as house:
            result = await house.plane.wait(key)
    assert (result.state, len(callee.heads)) == ("success", 2)


class Counting(Observer):
    """Keeps what it is told of calls."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def inline_began(self) -> None:
        self.told.append("began")

    def inline_ended(self, outcome: str) -> None:
        self.told.append(outcome)


async def test_each_call_is_counted_however_it_ends(open_house: OpenHouse) -> None:
    counting = Counting()
    role = Role(audience=Audience(counting))
    answers = {b"/good": b"1", b"/bad": b"{", b"/hang": None}
    async with (
        Callee(lambda head: answers[head.split(b" ")[1]]) as callee,
        open_house(role=role) as house,
    ):
        for name in ("good", "bad", "hang"):
            callee.asked.clear()
            key = await house.begin(make_call(f"{callee.url}/{name}"), run_id=name)
            if name == "hang":
                await callee.asked.wait()
                await house.plane.cancel(key)
            await house.plane.wait(key)
        callee.asked.clear()
        await house.begin(make_call(f"{callee.url}/hang"), run_id="left")
        await callee.asked.wait()
    assert counting.told[:5] == ["began", "success", "began", "failed", "began"]
    assert counting.told[5:] == ["cancelled", "began", "cancelled"]
