"""What becomes of tries in an executor, and what is made of an end without a report."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from house import House, OpenHouse, make_task, states
from leoflow_controlplane.error import LaunchFailed
from leoflow_controlplane.executor.fake import FakeAgent
from leoflow_controlplane.liverun import retry
from leoflow_controlplane.verdict import Exit


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

    async with open_house(report_late, settle_seconds=30.0) as house:
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


async def test_an_image_that_is_missing_fails_at_once_and_uses_no_retry(
    open_house: OpenHouse,
) -> None:
    async with open_house() as house:

        async def refuse(launch: object) -> dict[str, float]:
            raise LaunchFailed("image 'x' is not here", transient=False)

        house.executor.start = refuse
        (task,) = (await house.run(make_task("a", retries=3))).tasks
    assert (task.state, task.try_number, task.reason) == ("failed", 1, "image 'x' is not here")


async def test_a_folder_that_cannot_be_made_fails_its_try_and_nothing_else(
    open_house: OpenHouse, tmp_path: Path
) -> None:
    (tmp_path / "runs").write_text("no folder")
    async with open_house(machinery_retries=0) as house:
        (task,) = (await house.run(make_task("a", artifacts=True))).tasks
        assert states(await house.run(make_task("b"))) == {"b": "success"}
    assert task.state == "failed"
    assert task.reason is not None
    assert "cannot be made: [Errno 20] Not a directory: " in task.reason


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
