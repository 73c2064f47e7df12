"""The subprocess executor: the contract, the warning, and that nothing leaks either way."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import warnings
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from executor_contract import ExecutorContract, end_of, make_launch, run_one
from leoflow_controlplane.error import LaunchFailed
from leoflow_controlplane.executor.process import find_marked
from leoflow_controlplane.executor.protocol import Executor
from leoflow_controlplane.executor.subprocess import MARK, SubprocessExecutor, child_environment
from leoflow_controlplane.instance import open_instance

AGENT = """
import json, os, signal, subprocess, sys, time
word, _, rest = os.environ["BEHAVE"].partition(":")
if word == "exit":
    sys.exit(int(rest))
if word == "print":
    print(rest, file=sys.stderr)
    sys.exit(7)
if word == "leave":
    open(os.environ["LEOFLOW_VERDICT_FILE"], "w").write(rest)
    sys.exit(7)
if word == "environment":
    open(rest, "w").write(json.dumps([dict(os.environ), os.getcwd()]))
    sys.exit(0)
if word == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if word == "orphan":
    child = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    open(rest, "w").write(str(child.pid))
    sys.exit(0)
print("ready", flush=True)
while True:
    time.sleep(100)
"""


def make_executor(home: Path) -> SubprocessExecutor:
    script = home / "agent.py"
    script.write_text(AGENT)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        instance = open_instance(home)
        command = [sys.executable, "-I", "-S", str(script)]
        return SubprocessExecutor(instance, "unix:/nowhere", command, home, {})


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[Executor]:
    executor = make_executor(tmp_path)
    yield executor
    await executor.close()
    executor._instance.close()


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


class TestSubprocess(ExecutorContract):
    """See the contract."""

    async def test_it_warns_each_time_that_it_is_made(self, tmp_path: Path) -> None:
        instance = open_instance(tmp_path)
        for _ in range(2):
            with pytest.warns(RuntimeWarning, match="development only"):
                SubprocessExecutor(instance, "unix:/nowhere", ["true"], tmp_path, {})
        instance.close()

    async def test_secrets_of_the_server_do_not_reach_tasks(
        self, made: Executor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("DATABASE_PASSWORD", "hunter2")
        await run_one(made, make_launch(f"environment:{tmp_path / 'seen'}"))
        environment, folder = json.loads((tmp_path / "seen").read_text())
        assert "DATABASE_PASSWORD" not in environment
        assert environment["BEHAVE"].startswith("environment:")
        assert json.loads(environment["LEOFLOW_WORKLOAD"])["token"] == "t"
        assert folder == str(tmp_path)

    async def test_what_a_task_left_running_is_killed(self, made: Executor, tmp_path: Path) -> None:
        await run_one(made, make_launch(f"orphan:{tmp_path / 'pid'}"))
        pid = int((tmp_path / "pid").read_text())
        async with asyncio.timeout(10):
            while is_running(pid):
                await asyncio.sleep(0.01)

    async def test_a_command_that_is_missing_is_named(self, tmp_path: Path) -> None:
        instance = open_instance(tmp_path)
        with pytest.warns(RuntimeWarning):
            executor = SubprocessExecutor(instance, "unix:/n", ["/no/such"], tmp_path, {})
        with pytest.raises(LaunchFailed, match="'/no/such' could not be started"):
            await executor.start(make_launch("exit:0"))
        await executor.close()
        instance.close()

    async def test_closing_ends_what_runs(self, tmp_path: Path) -> None:
        executor = make_executor(tmp_path)
        launch = make_launch("stubborn")
        await executor.start(launch)
        pid = executor._running[launch.key].process.pid
        await executor.close()
        executor._instance.close()
        assert not is_running(pid)

    async def test_the_next_process_kills_what_a_killed_one_left(
        self, made: Executor, tmp_path: Path
    ) -> None:
        own = (tmp_path / "id").read_text()
        environment = {**os.environ, MARK: f"{own}.dead.1"}
        with subprocess.Popen(["sleep", "1000"], env=environment, start_new_session=True) as left:
            await wait_for_mark(left.pid, f"{own}.dead.1")
            assert await made.sweep() == [f"process {left.pid}"]
            assert left.wait(10) == -signal.SIGKILL

    async def test_processes_of_other_homes_are_left_alone(self, made: Executor) -> None:
        environment = {**os.environ, MARK: "another.dead.1"}
        with subprocess.Popen(["sleep", "1000"], env=environment) as other:
            await wait_for_mark(other.pid, "another.dead.1")
            assert await made.sweep() == []
            other.kill()

    async def test_the_end_of_a_try_needs_no_reader(self, made: Executor) -> None:
        """Output is kept in a file, so that a full pipe cannot hold a task up."""
        await made.start(make_launch("print:" + "x" * 100_000))
        assert (await end_of(made)).exit.code == 7


async def wait_for_mark(pid: int, mark: str) -> None:
    """Wait until a process that was forked has become its program."""
    async with asyncio.timeout(10):
        while (pid, mark) not in find_marked(MARK):
            await asyncio.sleep(0.01)


def test_only_what_is_allowed_or_declared_is_passed_on() -> None:
    own = {"PATH": "/bin", "LC_ALL": "C", "LD_PRELOAD": "x", "LEOFLOW_HOME": "h", "TZ": "UTC"}
    passed = child_environment(own, {"TZ": "Europe/Rome", "MINE": "1"})
    assert passed == {"PATH": "/bin", "LC_ALL": "C", "TZ": "Europe/Rome", "MINE": "1"}
