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
from typing import Any

import pytest
from executor_contract import (
    ExecutorContract,
    Heirs,
    StagingContract,
    end_of,
    make_launch,
    run_one,
)
from leoflow_controlplane.error import LaunchFailed
from leoflow_controlplane.executor.hostproject import HostProject
from leoflow_controlplane.executor.process import child_environment, find_marked
from leoflow_controlplane.executor.protocol import Executor, Site
from leoflow_controlplane.executor.subprocess import MARK, SubprocessExecutor
from leoflow_controlplane.instance import open_instance
from leoflow_controlplane.model import SERVER

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
kept = os.path.join(os.environ.get("LEOFLOW_STAGING", "/nowhere"), "kept")
if word == "keep":
    open(kept, "w").close()
    sys.exit(0)
if word == "find":
    sys.exit(not os.path.exists(kept))
if word == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if word == "orphan":
    child = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    open(rest, "w").write(str(child.pid))
    sys.exit(0)
def leave(*_):
    open(os.environ["LEOFLOW_VERDICT_FILE"], "w").write('{"exit_code": 125, "reason": "stopped"}')
    sys.exit(125)
if rest == "1":
    signal.signal(signal.SIGTERM, leave)
print("ready", flush=True)
while True:
    time.sleep(100)
"""


def make_executor(home: Path, owner: str | None = None, *command: str) -> SubprocessExecutor:
    script = home / "agent.py"
    script.write_text(AGENT)
    nobody: Any = None
    site = Site(open_instance(home), nobody, nobody, owner)
    program = command or (sys.executable, "-I", "-S", str(script))
    project = HostProject(program, home, {})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return SubprocessExecutor(site, "unix:/nowhere", lambda _: project)


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[Executor]:
    executor = make_executor(tmp_path)
    yield executor
    await executor.close()
    executor._site.instance.close()


@pytest.fixture
async def heirs(tmp_path: Path) -> AsyncIterator[Heirs]:
    """Gives one executor after the other of the server of a home; the last is closed in the end."""
    opened: list[SubprocessExecutor] = []

    async def make() -> SubprocessExecutor:
        opened.append(make_executor(tmp_path, SERVER))
        return opened[-1]

    yield make
    await opened[-1].close()
    for executor in opened:
        executor._site.instance.close()
    assert not list((tmp_path / "processes").glob("*"))


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


class TestSubprocess(ExecutorContract, StagingContract):
    """See the contract."""

    async def test_it_warns_each_time_that_it_is_made(self, tmp_path: Path) -> None:
        nobody: Any = None
        instance = open_instance(tmp_path)
        for _ in range(2):
            with pytest.warns(RuntimeWarning, match="development only"):
                SubprocessExecutor(Site(instance, nobody, nobody), "unix:/nowhere", nobody)
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
        async with asyncio.timeout(60):
            while is_running(pid):
                await asyncio.sleep(0.01)

    async def test_a_command_that_is_missing_is_named(self, tmp_path: Path) -> None:
        executor = make_executor(tmp_path, None, "/no/such")
        with pytest.raises(LaunchFailed, match="'/no/such' could not be started"):
            await executor.start(make_launch("exit:0"))
        await executor.close()
        executor._site.instance.close()

    async def test_a_disk_that_is_full_fails_the_try_and_nothing_else(
        self, made: Executor, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        def fill_up(self: Path, _: str) -> int:
            raise OSError(28, "No space left on device", str(self))

        with monkeypatch.context() as patch:
            patch.setattr(Path, "write_text", fill_up)
            with pytest.raises(LaunchFailed, match="cannot be written: No space left") as caught:
                await made.start(make_launch("exit:0"))
        assert caught.value.transient
        assert list((tmp_path / "processes").glob("*")) == []

    async def test_a_process_that_cannot_be_watched_is_not_left_beside_the_next_try(
        self, made: SubprocessExecutor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        started: list[int] = []

        def refuse(pid: int) -> int:
            started.append(pid)
            raise OSError(24, "Too many open files")

        with monkeypatch.context() as patch:
            patch.setattr(os, "pidfd_open", refuse)
            with pytest.raises(LaunchFailed, match="cannot be watched: Too many open") as caught:
                await made.start(make_launch("sleep"))
        assert caught.value.transient
        assert not any(map(is_running, started))
        assert made.figures.started == 0

    async def test_a_process_that_was_nobodys_child_is_judged_by_its_verdict(
        self, heirs: Heirs, tmp_path: Path
    ) -> None:
        """As after a kill -9 of the server, when the agent's verdict is all that there is."""
        launches = [make_launch(f"sleep:{number}", number) for number in (1, 2)]
        dead = subprocess.run(
            [sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE, check=False
        )
        assert dead.returncode == -signal.SIGKILL
        heir = await heirs()
        keys = {launch.key for launch in launches}
        assert await heir.adopt(keys, {launches[0].key.run}) == keys
        for launch in launches:
            await heir.stop(launch.key, 30)
        ends = {ended.key: ended.exit for ended in [await end_of(heir), await end_of(heir)]}
        assert ends[launches[0].key].code == 125
        assert ends[launches[1].key].code is None
        assert "left no word" in (ends[launches[1].key].reason or "")

    async def test_a_process_with_the_id_of_a_dead_one_is_not_taken_for_it(
        self, heirs: Heirs
    ) -> None:
        launch = make_launch("exit:0")
        dead = await heirs()
        await dead.start(launch)
        await end_of(dead)
        await dead.close(leave_running=True)
        with subprocess.Popen(["sleep", "1000"]) as other:
            dead._folder(launch.key).pid_file.write_text(str(other.pid))  # type: ignore[attr-defined]
            heir = await heirs()
            assert await heir.adopt({launch.key}, set()) == {launch.key}
            await heir.stop(launch.key, 0)
            assert (await end_of(heir)).exit.code is None
            await heir.remove(launch.key)
            assert other.poll() is None
            other.kill()

    async def test_a_try_whose_process_never_came_to_be_is_not_adopted(self, heirs: Heirs) -> None:
        launch = make_launch("exit:0")
        heir = await heirs()
        heir._folder(launch.key).make(launch.key)  # type: ignore[attr-defined]
        assert await heir.adopt({launch.key}, set()) == set()
        assert (await run_one(heir, launch)).exit.code == 0

    async def test_closing_ends_what_runs(self, tmp_path: Path) -> None:
        executor = make_executor(tmp_path)
        launch = make_launch("stubborn")
        await executor.start(launch)
        pid = executor._running[launch.key].pid
        await executor.close()
        executor._site.instance.close()
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


KILLED = f"""
import asyncio, os, signal, sys
from pathlib import Path
sys.path[:0] = {sys.path!r}
from executor_contract import make_launch, start_and_await
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_subprocess import make_executor

async def main():
    executor = make_executor(Path(sys.argv[1]), "server")
    for number in (1, 2):
        await start_and_await(executor, make_launch(f"sleep:{{number}}", number))
    os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(main())
"""


async def wait_for_mark(pid: int, mark: str) -> None:
    """Wait until a process that was forked has become its program."""
    async with asyncio.timeout(60):
        while (pid, mark) not in find_marked(MARK):
            await asyncio.sleep(0.01)


def test_only_what_is_allowed_or_declared_is_passed_on() -> None:
    own = {"PATH": "/bin", "LC_ALL": "C", "LD_PRELOAD": "x", "LEOFLOW_HOME": "h", "TZ": "UTC"}
    passed = child_environment(own, {"TZ": "Europe/Rome", "MINE": "1"})
    assert passed == {"PATH": "/bin", "LC_ALL": "C", "TZ": "Europe/Rome", "MINE": "1"}
