"""Runs of one's own on the fake executor: watched, cancelled, and nothing left behind."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest
from house import OpenHouse, make_task, states
from leoflow_controlplane.error import RunRefused
from leoflow_controlplane.executor.fake import FakeAgent
from leoflow_controlplane.model import RunResult, TryKey
from leoflow_controlplane.verdict import Exit


async def test_values_flow_from_task_to_task(open_house: OpenHouse) -> None:
    async with open_house() as house:
        result = await house.run(make_task("a"), make_task("b"), make_task("c", "a", "b"))
        inputs = house.executor.started[-1].workload["inputs"]
    assert result.state == "success"
    assert inputs["args"] == ["a", "b"]
    assert [task.return_value for task in result.tasks] == ["a", "b", "c"]


async def test_a_result_has_the_whole_time_line(open_house: OpenHouse) -> None:
    async with open_house() as house:
        (task,) = (await house.run(make_task("a"))).tasks
    waits = {"queue", "create", "start", "agent", "import", "run", "report", "total"}
    assert set(task.timeline_ms) == waits
    assert all(wait >= 0 for wait in task.timeline_ms.values())


async def test_cancelling_stops_what_runs_and_skips_what_waits(open_house: OpenHouse) -> None:
    async def stop_when_told(agent: FakeAgent) -> Exit:
        await agent.start()
        await agent.told_to_stop.wait()
        return Exit(await agent.finish("failed", reason="terminated"))

    async with open_house(stop_when_told) as house:
        key = await house.begin(make_task("a", retries=5), make_task("b", "a"))
        async for update in house.plane.watch(key):
            if update.text == "running" and update.task_id == "a":
                await house.plane.cancel(key)
        result = await house.plane.result(key)
    assert states(result) == {"a": "failed", "b": "skipped"}
    assert result.state == "failed"
    assert {task.reason for task in result.tasks} == {"the run was cancelled"}


async def test_leaving_the_context_ends_what_runs(open_house: OpenHouse, tmp_path: Path) -> None:
    async def hang(agent: FakeAgent) -> Exit:
        await agent.start()
        await asyncio.Event().wait()
        return Exit(0)

    async with open_house(hang) as house:
        key = await house.begin(make_task("a"), make_task("b", "a"))
        async for update in house.plane.watch(key):
            if update.text == "running" and update.task_id == "a":
                break
    assert house.executor.running == 0
    with sqlite3.connect(tmp_path / "leoflow.db") as connection:
        runs = connection.execute("SELECT state, reason FROM runs").fetchall()
        tasks = connection.execute("SELECT state FROM task_instances ORDER BY position").fetchall()
    assert runs == [("failed", "the process that ran it ended")]
    assert tasks == [("failed",), ("skipped",)]
    assert not list((tmp_path / "instances").iterdir())


async def test_a_task_that_was_cancelled_by_ctrl_c_leaves_nothing(
    open_house: OpenHouse, tmp_path: Path
) -> None:
    """Ctrl-C reaches asyncio as the cancellation of the main task."""
    entered = asyncio.Event()

    async def hang(agent: FakeAgent) -> Exit:
        await agent.start()
        entered.set()
        await asyncio.Event().wait()
        return Exit(0)

    async def main() -> None:
        async with open_house(hang) as house:
            await house.run(make_task("a"))

    running = asyncio.create_task(main())
    await entered.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not list((tmp_path / "instances").iterdir())


async def test_logs_are_in_order_and_come_before_the_verdict(open_house: OpenHouse) -> None:
    async def talk(agent: FakeAgent) -> Exit:
        await agent.start()
        for number in range(20):
            await agent.send([agent.add("log", stream="stdout", text=f"line {number}\n")])
        return Exit(await agent.finish())

    async with open_house(talk) as house:
        key = await house.begin(make_task("a"))
        seen = [u.text async for u in house.plane.watch(key) if u.task_id == "a"]
        log = await house.plane.log(TryKey(*key, "a", -1, 1))
    lines = [f"line {number}\n" for number in range(20)]
    assert seen == ["scheduled", "queued", "running", *lines, "success"]
    assert [entry.text for entry in log] == lines


async def test_one_task_alone_gets_the_values_that_are_given(open_house: OpenHouse) -> None:
    async with open_house() as house:
        tasks = (make_task("a"), make_task("b", "a"), make_task("c", "b"))
        result = await house.run(*tasks, task_id="b", inputs={"a": [1, 2]})
        inputs = house.executor.started[0].workload["inputs"]
    assert states(result) == {"b": "success"}
    assert inputs["args"] == [[1, 2]]


async def test_one_task_alone_without_its_values_is_refused(open_house: OpenHouse) -> None:
    async with open_house() as house:
        with pytest.raises(RunRefused, match=r"reads from 'a'\. Give its value"):
            await house.run(make_task("a"), make_task("b", "a"), task_id="b")


async def test_the_state_file_keeps_no_token(open_house: OpenHouse, tmp_path: Path) -> None:
    async with open_house() as house:
        await house.run(make_task("a"))
        token = house.executor.started[0].workload["token"]
    content = b"".join(path.read_bytes() for path in tmp_path.glob("leoflow.db*"))
    assert token.encode() not in content


async def test_many_runs_at_once_all_end(open_house: OpenHouse) -> None:
    async with open_house() as house:
        runs = [house.run(make_task("a"), make_task("b", "a")) for _ in range(10)]
        results: list[RunResult] = await asyncio.gather(*runs)
    assert {result.state for result in results} == {"success"}
    assert len({result.run_id for result in results}) == 10
