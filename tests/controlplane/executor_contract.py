"""What every executor keeps to. A module of tests gives the fixture ``made`` and imports these.

The processes do what the variable BEHAVE says: ``exit:N``, ``sleep``, ``stubborn`` (ignores
SIGTERM; both say "ready" first), ``print:TEXT`` (to stderr, then ends with 7), ``leave:TEXT``
(where an agent leaves its verdict, then ends with 7).
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

from house import make_task
from leoflow_controlplane.executor.protocol import Ended, Executor, Launch
from leoflow_controlplane.model import TryKey


def make_launch(behave: str, number: int = 1, **fields: Any) -> Launch:
    """Make a launch whose process behaves as told."""
    key = TryKey("d", fields.pop("run_id", "r"), f"t{number}", -1, 1)
    workload: Any = {"token": "t", "context": {"task_id": "t"}, "inputs": None}
    artifacts: Path | None = fields.pop("artifacts", None)
    environment = {"BEHAVE": behave}
    image = fields.pop("image", "leoflow-test-agent")
    task = make_task(key.task_id, **fields)
    return Launch(key, image, workload, task, environment, artifacts)


async def end_of(executor: Executor) -> Ended:
    """Wait for the next end, but not for ever."""
    async with asyncio.timeout(60):
        return await executor.ended()


async def start_and_await(executor: Executor, launch: Launch) -> None:
    """Start a try that says when it is ready for signals, and wait for that."""
    await executor.start(launch)
    async with asyncio.timeout(60):
        while "ready" not in (await executor.log_tail(launch.key) or ""):
            await asyncio.sleep(0.01)


async def run_one(executor: Executor, launch: Launch) -> Ended:
    """Start a try, wait for its end and remove it."""
    await executor.start(launch)
    ended = await end_of(executor)
    await executor.remove(launch.key)
    return ended


class ExecutorContract:
    """Tests of one behaviour each, for any executor."""

    async def test_the_exit_code_arrives(self, made: Executor) -> None:
        for code in (0, 3, 126):
            ended = await run_one(made, make_launch(f"exit:{code}", code + 1))
            assert ended.exit.code == code
            assert ended.key.task_id == f"t{code + 1}"

    async def test_instants_are_in_order(self, made: Executor) -> None:
        before = time.time()
        launch = make_launch("exit:0")
        instants = await made.start(launch)
        ended = await end_of(made)
        assert ended.started_at is not None
        assert ended.ended_at is not None
        assert before - 0.05 <= instants["created"] <= ended.started_at + 0.05
        # An engine may note the start of a process only after it has ended.
        assert ended.started_at <= ended.ended_at + 0.05
        assert ended.ended_at <= time.time() + 0.05

    async def test_a_try_that_is_stopped_ends(self, made: Executor) -> None:
        launch = make_launch("sleep")
        await start_and_await(made, launch)
        await made.stop(launch.key, 30)
        ended = await end_of(made)
        assert (ended.key, ended.exit.code) == (launch.key, 143)

    async def test_a_try_that_will_not_stop_is_killed(self, made: Executor) -> None:
        launch = make_launch("stubborn")
        await start_and_await(made, launch)
        await made.stop(launch.key, 0.2)
        assert (await end_of(made)).exit.code == 137

    async def test_each_end_is_told_once(self, made: Executor) -> None:
        launches = [make_launch("exit:0", number) for number in range(4)]
        await asyncio.gather(*(made.start(launch) for launch in launches))
        ended = [(await end_of(made)).key for _ in launches]
        assert sorted(ended) == sorted(launch.key for launch in launches)

    async def test_what_is_not_there_can_be_stopped_and_removed(self, made: Executor) -> None:
        launch = make_launch("exit:0")
        await made.stop(launch.key, 0)
        await made.remove(launch.key)

    async def test_the_last_output_can_be_read_until_it_is_removed(self, made: Executor) -> None:
        launch = make_launch("print:out of luck")
        await made.start(launch)
        assert (await end_of(made)).exit.code == 7
        assert "out of luck" in (await made.log_tail(launch.key) or "")

    async def test_a_verdict_that_was_left_can_be_read_until_it_is_removed(
        self, made: Executor
    ) -> None:
        launch = make_launch("leave:the verdict")
        await made.start(launch)
        assert (await end_of(made)).exit.code == 7
        assert await made.left_verdict(launch.key) == b"the verdict"
        await made.remove(launch.key)
        assert await made.left_verdict(launch.key) is None

    async def test_no_verdict_is_left_by_most(self, made: Executor) -> None:
        launch = make_launch("exit:0")
        await made.start(launch)
        await end_of(made)
        assert await made.left_verdict(launch.key) is None

    async def test_nothing_is_swept_while_its_process_lives(self, made: Executor) -> None:
        launch = make_launch("sleep")
        await made.start(launch)
        assert await made.sweep() == []
        await made.stop(launch.key, 0)
        assert (await end_of(made)).key == launch.key
