"""What every executor keeps to. A module of tests gives the fixtures ``made``, an executor, and
``heirs``, which gives one executor after the other of the same server, and imports these.

The processes do what the variable BEHAVE says: ``exit:N``, ``sleep``, ``stubborn`` (ignores
SIGTERM; both say "ready" first), ``print:TEXT`` (to stderr, then ends with 7), ``leave:TEXT``
(where an agent leaves its verdict, then ends with 7), ``keep`` and ``find`` (a file in the folder
of the run; end with 0 if that could be done).
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from typing import Any

from house import make_task
from leoflow_controlplane.executor.protocol import Ended, Executor
from leoflow_controlplane.launch import Launch, be_silent
from leoflow_controlplane.model import TryKey

Heirs = Callable[[], Awaitable[Executor]]
# Names the image of the launches where there is a real one; processes of a test inherit it.
IMAGE_VARIABLE = "LEOFLOW_TEST_AGENT"


def make_launch(behave: str, number: int = 1, **fields: Any) -> Launch:
    """Make a launch whose process behaves as told."""
    key = TryKey("d", fields.pop("run_id", "r"), f"t{number}", -1, 1)
    context = {"task_id": "t"}
    workload: Any = {"token": "t", "context": context, "inputs": None, "grace_seconds": 5.0}
    artifacts: str | None = fields.pop("artifacts", None)
    environment = {"BEHAVE": behave}
    image = fields.pop("image", os.environ.get(IMAGE_VARIABLE, "leoflow-test-agent"))
    staging: int | None = fields.pop("staging", None)
    say = fields.pop("say", be_silent)
    kept: bool = fields.pop("run_leaves_artifacts", False)
    task = make_task(key.task_id, **fields)
    launch = Launch(key, image, workload, task, environment, artifacts, staging, say)
    return launch._replace(run_leaves_artifacts=kept)


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
    """Tests of one behaviour each, for any executor. ``slack_seconds``: how exact the instants are
    that are read from wherever tries run."""

    slack_seconds = 0.05

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
        slack = self.slack_seconds
        assert before - slack <= instants["created"] <= ended.started_at + slack
        # An engine may note the start of a process only after it has ended.
        assert ended.started_at <= ended.ended_at + slack
        assert ended.ended_at <= time.time() + slack

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

    async def test_what_runs_is_counted(self, made: Executor) -> None:
        launch = make_launch("sleep")
        await start_and_await(made, launch)
        assert (made.figures.started, made.figures.running) == (1, 1)
        await made.stop(launch.key, 0)
        await end_of(made)
        assert (made.figures.started, made.figures.running) == (1, 0)

    async def test_a_try_is_not_started_twice(self, made: Executor) -> None:
        launch = make_launch("sleep")
        await start_and_await(made, launch)
        await made.start(launch._replace(environment={"BEHAVE": "exit:4"}))
        assert made.figures.started == 1
        await made.stop(launch.key, 0)
        assert (await end_of(made)).exit.code in (137, 143)
        await assert_no_more(made)

    async def test_what_was_left_running_is_adopted(self, heirs: Heirs) -> None:
        launch, other = make_launch("sleep"), make_launch("sleep", 2)
        dead = await heirs()
        await start_and_await(dead, launch)
        await dead.close(leave_running=True)
        heir = await heirs()
        assert await heir.adopt({launch.key, other.key}, {launch.key.run}) == {launch.key}
        assert (heir.figures.adopted, heir.figures.running) == (1, 1)
        assert "ready" in (await heir.log_tail(launch.key) or "")
        await heir.stop(launch.key, 30)
        ended = await end_of(heir)
        # Whose child a process is not cannot be told how it ended.
        assert (ended.key, ended.exit.code) in ((launch.key, 143), (launch.key, None))
        await heir.remove(launch.key)
        await assert_no_more(heir)

    async def test_what_ended_while_nobody_looked_is_told_once(self, heirs: Heirs) -> None:
        launch = make_launch("leave:the verdict")
        dead = await heirs()
        await dead.start(launch)
        await end_of(dead)
        await dead.close(leave_running=True)
        heir = await heirs()
        assert await heir.adopt({launch.key}, {launch.key.run}) == {launch.key}
        assert (await end_of(heir)).key == launch.key
        assert await heir.left_verdict(launch.key) == b"the verdict"
        assert await heir.adopt({launch.key}, {launch.key.run}) == set()
        await assert_no_more(heir)

    async def test_what_is_started_again_after_a_death_is_adopted(self, heirs: Heirs) -> None:
        launch = make_launch("sleep")
        dead = await heirs()
        await start_and_await(dead, launch)
        await dead.close(leave_running=True)
        heir = await heirs()
        await heir.start(launch._replace(environment={"BEHAVE": "exit:4"}))
        await heir.stop(launch.key, 0)
        assert (await end_of(heir)).exit.code in (137, 143, None)
        await assert_no_more(heir)

    async def test_what_is_not_wanted_any_more_is_removed(self, heirs: Heirs) -> None:
        launch = make_launch("stubborn")
        dead = await heirs()
        await start_and_await(dead, launch)
        await dead.close(leave_running=True)
        heir = await heirs()
        assert await heir.adopt(set(), set()) == set()
        assert await heir.adopt({launch.key}, set()) == set()
        await assert_no_more(heir)

    async def test_what_a_server_left_is_not_swept(self, made: Executor, heirs: Heirs) -> None:
        launch = make_launch("sleep")
        dead = await heirs()
        await start_and_await(dead, launch)
        await dead.close(leave_running=True)
        assert await made.sweep() == []
        heir = await heirs()
        assert await heir.adopt({launch.key}, {launch.key.run}) == {launch.key}

    async def test_a_run_without_a_folder_can_be_ended(self, made: Executor) -> None:
        await made.end_run(make_launch("exit:0").key.run)


class StagingContract:
    """Tests of the folder that the tries of a run share, for executors with a file system."""

    async def test_the_tries_of_a_run_share_a_folder(self, made: Executor) -> None:
        keep, find = make_launch("keep", staging=1000), make_launch("find", 2, staging=1000)
        for launch in (keep, find):
            assert (await run_one(made, launch)).exit.code == 0
        other = make_launch("find", run_id="other", staging=1000)
        assert (await run_one(made, other)).exit.code == 1
        for run in (keep.key.run, other.key.run):
            await made.end_run(run)
        assert (await run_one(made, find)).exit.code == 1

    async def test_the_folder_of_an_unfinished_run_outlives_its_server(self, heirs: Heirs) -> None:
        keep, find = make_launch("keep", staging=1000), make_launch("find", 2, staging=1000)
        dead = await heirs()
        assert (await run_one(dead, keep)).exit.code == 0
        await dead.close(leave_running=True)
        heir = await heirs()
        await heir.adopt(set(), {keep.key.run})
        assert (await run_one(heir, find)).exit.code == 0
        await heir.close(leave_running=True)
        heir = await heirs()
        await heir.adopt(set(), set())
        assert (await run_one(heir, find)).exit.code == 1

    async def test_a_folder_in_use_is_removed_with_its_last_try(self, made: Executor) -> None:
        launch = make_launch("sleep", staging=1000)
        await start_and_await(made, launch)
        await made.end_run(launch.key.run)
        await made.stop(launch.key, 0)
        await end_of(made)
        await made.remove(launch.key)
        assert (await run_one(made, make_launch("find", 2, staging=1000))).exit.code == 1


async def assert_no_more(executor: Executor) -> None:
    """Say that no end is told a second time."""
    other = make_launch("exit:9", 99)
    await executor.start(other)
    assert (await end_of(executor)).key == other.key
    await executor.remove(other.key)
