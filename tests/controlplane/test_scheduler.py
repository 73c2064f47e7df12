"""What follows from reports, on the fake executor: tries, successors, and no more than may run."""

from __future__ import annotations

import asyncio
import json
import statistics
import time

import pytest
from house import OpenHouse, make_task, states
from leoflow_controlplane.error import ControlPlaneError, Stale
from leoflow_controlplane.executor.fake import FakeAgent
from leoflow_controlplane.verdict import Exit


async def test_a_failure_is_tried_again_and_then_succeeds(open_house: OpenHouse) -> None:
    async def fail_twice(agent: FakeAgent) -> Exit:
        await agent.start()
        last = agent.launch.key.try_number == 3
        return Exit(await agent.finish("success" if last else "failed", reason="not yet"))

    async with open_house(fail_twice) as house:
        (task,) = (await house.run(make_task("a", retries=2, retry_delay_seconds=0.05))).tasks
    assert (task.state, task.try_number) == ("success", 3)


async def test_retries_end(open_house: OpenHouse) -> None:
    async def fail(agent: FakeAgent) -> Exit:
        await agent.start()
        return Exit(await agent.finish("failed", reason="no"))

    async with open_house(fail) as house:
        result = await house.run(make_task("a", retries=1), make_task("b", "a"))
        assert len(house.executor.started) == 2
    assert states(result) == {"a": "failed", "b": "upstream_failed"}
    assert result.state == "failed"
    assert result.tasks[0].reason == "no"


async def test_the_value_of_a_failed_try_is_not_the_next_ones(open_house: OpenHouse) -> None:
    async def leave_a_value_once(agent: FakeAgent) -> Exit:
        await agent.start()
        if agent.launch.key.try_number == 1:
            return Exit(await agent.finish("failed", value="stale"))
        return Exit(await agent.finish("success"))

    async with open_house(leave_a_value_once) as house:
        (task,) = (await house.run(make_task("a", retries=1))).tasks
    assert (task.state, task.return_value) == ("success", None)


async def test_a_skipped_task_skips_what_follows(open_house: OpenHouse) -> None:
    async def skip(agent: FakeAgent) -> Exit:
        await agent.start()
        return Exit(await agent.finish("skipped"))

    async with open_house(skip) as house:
        result = await house.run(make_task("a"), make_task("b", "a"))
    assert states(result) == {"a": "skipped", "b": "skipped"}
    assert result.state == "success"


async def test_a_report_after_the_verdict_is_stale(open_house: OpenHouse) -> None:
    answers: list[object] = []

    async def report_too_late(agent: FakeAgent) -> Exit:
        await agent.start()
        agents.append(agent)
        return Exit(1)

    agents: list[FakeAgent] = []
    async with open_house(report_too_late) as house:
        await house.run(make_task("a"))
        with pytest.raises(Stale):
            answers.append(await agents[0].finish())
    assert not answers


async def test_no_more_run_at_once_than_allowed(open_house: OpenHouse) -> None:
    at_work, most = 0, 0

    async def work(agent: FakeAgent) -> Exit:
        nonlocal at_work, most
        at_work += 1
        most = max(most, at_work)
        await agent.start()
        at_work -= 1
        return Exit(await agent.finish())

    async with open_house(work, max_parallel_tasks=3) as house:
        result = await house.run(*(make_task(f"t{number}") for number in range(12)))
    assert (result.state, most) == ("success", 3)


async def test_an_event_that_is_reported_twice_is_taken_once(open_house: OpenHouse) -> None:
    async def stutter(agent: FakeAgent) -> Exit:
        await agent.start()
        log = agent.add("log", stream="stdout", text="once")
        await agent.send([log])
        answer = await agent.send(agent.events)
        assert answer["ack"] == 3
        code = await agent.finish()
        assert (await agent.send(agent.events))["ack"] == 4
        return Exit(code)

    async with open_house(stutter) as house:
        key = await house.begin(make_task("a"))
        logs = [u.text async for u in house.plane.watch(key) if u.kind == "log"]
        result = await house.plane.result(key)
    assert logs == ["once"]
    assert result.state == "success"


async def test_a_value_over_the_limit_fails_the_task(open_house: OpenHouse) -> None:
    async def return_much(agent: FakeAgent) -> Exit:
        await agent.start()
        return Exit(await agent.finish(value="x" * 101))

    async with open_house(return_much, xcom_limit_bytes=100) as house:
        (task,) = (await house.run(make_task("a"))).tasks
    assert task.state == "failed"
    assert task.reason is not None
    assert "103 bytes" in task.reason


async def test_large_inputs_are_asked_for(open_house: OpenHouse) -> None:
    asked: list[object] = []

    async def ask(agent: FakeAgent) -> Exit:
        await agent.start()
        if agent.launch.workload["inputs"] is None:
            asked.append(await agent._desk.give_inputs(agent.launch.workload["token"]))
            return Exit(await agent.finish())
        return Exit(await agent.finish(value="x" * 40_000))

    async with open_house(ask) as house:
        result = await house.run(make_task("a"), make_task("b", "a"))
    assert result.state == "success"
    assert asked == [{"args": ["x" * 40_000], "kwargs": {}, "environment": {}, "request": None}]


async def test_whoever_watches_is_told_when_the_scheduler_fails(
    open_house: OpenHouse, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def break_down(*args: object) -> None:
        raise LookupError("what should be there is not")

    async def hang(agent: FakeAgent) -> Exit:
        await asyncio.Event().wait()
        return Exit(0)

    monkeypatch.setattr("leoflow_controlplane.steps.due.come_due", break_down)
    async with open_house(hang, start_allowance_seconds=0.01) as house:
        with pytest.raises(ControlPlaneError, match="what should be there is not"):
            await house.run(make_task("a"))
    assert "cannot go on" in caplog.text


async def test_a_successor_starts_without_a_tick(open_house: OpenHouse) -> None:
    """From the end of a report's transaction to the successor there is no waiting, only work."""
    finishing: list[float] = []
    starting: list[float] = []

    async def note(agent: FakeAgent) -> Exit:
        starting.append(time.perf_counter())
        await agent.start()
        finishing.append(time.perf_counter())
        return await succeed_after_start(agent)

    async def succeed_after_start(agent: FakeAgent) -> Exit:
        return Exit(await agent.finish(value=1))

    async with open_house(note) as house:
        tasks = [make_task("t0")]
        tasks += [make_task(f"t{number}", f"t{number - 1}") for number in range(1, 20)]
        await house.run(*tasks)
    edges = [begin - end for end, begin in zip(finishing, starting[1:], strict=False)]
    print(json.dumps({"edge_ms": round(statistics.median(edges) * 1000, 2)}))
    # Generous, for machines that are busy; a tick would be seen all the same.
    assert statistics.median(edges) < 0.25
