"""Whole runs on the fake executor: every order of events, and nothing left behind."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import statistics
import time
from pathlib import Path

import pytest
from house import House, OpenHouse, make_task, states
from leoflow_controlplane.error import ControlPlaneError, LaunchFailed, RunRefused, Stale
from leoflow_controlplane.executor.fake import FakeAgent
from leoflow_controlplane.liverun import retry
from leoflow_controlplane.model import RunResult
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


async def test_an_executor_can_ask_whether_the_agent_of_a_try_was_heard(
    open_house: OpenHouse,
) -> None:
    heard = []

    async def ask(agent: FakeAgent) -> Exit:
        heard.append(agent.launch.is_heard())
        await agent.start()
        heard.append(agent.launch.is_heard())
        code = await agent.finish()
        heard.append(agent.launch.is_heard())
        return Exit(code)

    async with open_house(ask) as house:
        await house.run(make_task("a"))
    assert heard == [False, True, True]


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


async def test_a_container_that_ends_before_its_report_is_read(open_house: OpenHouse) -> None:
    """The verdict of a report in flight wins over that of the exit code."""
    late: list[asyncio.Task[int]] = []

    async def report_late(agent: FakeAgent) -> Exit:
        await agent.start()

        async def finish() -> int:
            await asyncio.sleep(0.02)
            return await agent.finish(value=1)

        late.append(asyncio.create_task(finish()))
        return Exit(137)

    async with open_house(report_late, settle_seconds=1.0) as house:
        (task,) = (await house.run(make_task("a"))).tasks
    assert (task.state, task.return_value) == ("success", 1)


async def test_a_lost_report_leaves_the_verdict_to_the_exit_code(open_house: OpenHouse) -> None:
    async def die(agent: FakeAgent) -> Exit:
        return Exit(139)

    async with open_house(die) as house:
        (task,) = (await house.run(make_task("a"))).tasks
    assert task.state == "failed"
    assert task.reason == "killed by signal 11 (SIGSEGV) without a report"


async def test_exit_zero_without_the_value_that_is_needed_is_a_failure(
    open_house: OpenHouse,
) -> None:
    async def say_nothing(agent: FakeAgent) -> Exit:
        await agent.start()
        return Exit(0)

    async with open_house(say_nothing) as house:
        result = await house.run(make_task("a"), make_task("b", "a"))
    assert states(result) == {"a": "failed", "b": "upstream_failed"}


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


async def test_memory_that_ran_out_is_named_with_its_limit(open_house: OpenHouse) -> None:
    """The agent survives when only its child is killed; the engine knows why it was."""

    async def run_out(agent: FakeAgent) -> Exit:
        await agent.start()
        finished = agent.add("finished", state="failed", reason="killed", exit_code=137)
        await agent.send([finished])
        return Exit(137, oom_killed=True)

    async with open_house(run_out) as house:
        (task,) = (await house.run(make_task("a"))).tasks
    assert task.reason is not None
    assert "64 MiB" in task.reason
    assert "resources.requests.memory of task 'a'" in task.reason


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


async def test_an_image_that_is_missing_fails_at_once_and_uses_no_retry(
    open_house: OpenHouse,
) -> None:
    async with open_house() as house:

        async def refuse(launch: object) -> dict[str, float]:
            raise LaunchFailed("image 'x' is not here", transient=False)

        house.executor.start = refuse
        (task,) = (await house.run(make_task("a", retries=3))).tasks
    assert (task.state, task.try_number, task.reason) == ("failed", 1, "image 'x' is not here")


async def test_a_try_whose_container_is_lost_is_made_up_for(
    open_house: OpenHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "MACHINERY_FIRST_SECONDS", 0.01)

    async def lose_once(agent: FakeAgent) -> Exit:
        await agent.start()
        if agent.launch.key.try_number == 1:
            return Exit(None, reason="its node is gone", machinery=True)
        return Exit(await agent.finish())

    async with open_house(lose_once) as house:
        (task,) = (await house.run(make_task("a"))).tasks
        assert len(house.executor.removed) == 2
    assert (task.state, task.try_number) == ("success", 2)


async def test_a_start_that_may_work_later_is_tried_again(
    open_house: OpenHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "MACHINERY_FIRST_SECONDS", 0.01)
    async with open_house(machinery_retries=2) as house:

        async def refuse(launch: object) -> dict[str, float]:
            raise LaunchFailed("no room", transient=True)

        house.executor.start = refuse
        (task,) = (await house.run(make_task("a"))).tasks
    assert (task.state, task.try_number) == ("failed", 3)
    assert (task.reason or "").startswith("no room; it was tried again 2 times")


async def test_a_container_whose_agent_never_reports_is_stopped(open_house: OpenHouse) -> None:
    async def hang(agent: FakeAgent) -> Exit:
        await asyncio.Event().wait()
        return Exit(0)

    # On a busy machine stopping takes longer than the tests' allowance for it.
    patience = {"start_allowance_seconds": 0.05, "removal_allowance_seconds": 10}
    async with open_house(hang, **patience) as house:
        (task,) = (await house.run(make_task("a"))).tasks
    assert task.reason == "the container did not report within 0.05 s of its dispatch"


async def test_a_task_that_outlives_its_timeout_is_stopped(open_house: OpenHouse) -> None:
    async def hang(agent: FakeAgent) -> Exit:
        await agent.start()
        await asyncio.Event().wait()
        return Exit(0)

    async with open_house(hang) as house:
        (task,) = (await house.run(make_task("a", execution_timeout_seconds=0.01))).tasks
    assert task.reason is not None
    assert task.reason.startswith("timed out: it ran longer than execution_timeout_seconds = 0.01")


async def test_a_task_that_cannot_be_stopped_does_not_hold_the_run(open_house: OpenHouse) -> None:
    async def hang(agent: FakeAgent) -> Exit:
        await asyncio.Event().wait()
        return Exit(0)

    async with open_house(hang, start_allowance_seconds=0.01) as house:

        async def refuse_to_stop(key: object, grace_seconds: float) -> None:
            return None

        house.executor.stop = refuse_to_stop
        (task,) = (await house.run(make_task("a"))).tasks
    assert task.state == "failed"
    assert task.reason is not None
    assert task.reason.endswith("its container could not be stopped")


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
        log = await house.plane.log(key, "a", 1)
    lines = [f"line {number}\n" for number in range(20)]
    assert seen == ["scheduled", "queued", "running", *lines, "success"]
    assert [entry.text for entry in log] == lines


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


async def test_a_verdict_that_was_left_gives_the_reason(open_house: OpenHouse) -> None:
    houses: list[House] = []

    async def leave(agent: FakeAgent) -> Exit:
        await agent.start()
        left = {"state": "failed", "reason": "ValueError: no rows", "exit_code": 1}
        houses[0].executor.left[agent.launch.key] = json.dumps(left).encode()
        return Exit(1)

    async with open_house(leave) as house:
        houses.append(house)
        (task,) = (await house.run(make_task("a"))).tasks
    assert (task.state, task.reason) == ("failed", "ValueError: no rows")


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
