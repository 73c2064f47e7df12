"""Run tries as processes of this machine. For development only: nothing isolates them, and no
limit of their resources is kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
import warnings
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from leoflow_agent import exitcode
from leoflow_agent.wire import MAX_VERDICT_BYTES, VERDICT_VARIABLE

from leoflow_controlplane.agentserver import SOCKET_NAME
from leoflow_controlplane.error import LaunchFailed
from leoflow_controlplane.executor.process import kill_group, kill_marked
from leoflow_controlplane.executor.protocol import Ended, Launch, Site
from leoflow_controlplane.instance import Instance
from leoflow_controlplane.model import TryKey
from leoflow_controlplane.verdict import Exit
from leoflow_controlplane.workload import encode_workload

WARNING = (
    "tasks run as plain subprocesses: no container isolates them and no resource limit is kept. "
    "This is for development only; with a Docker engine use --executor docker."
)
TAIL_BYTES = 16 * 1024
# home.instance.number: whose process it is, for as long as it inherits its environment.
MARK = "LEOFLOW_PROCESS"

_ALLOWED = ("PATH", "HOME", "LANG", "TZ", "TMPDIR")


class _Running(NamedTuple):
    process: Process
    mark: str
    output: Path
    verdict: Path
    watcher: asyncio.Task[None]


class SubprocessExecutor:
    """Starts ``command`` in ``folder`` for each try, in a session of its own."""

    # Its agents come through a socket.
    ca = None

    def __init__(
        self,
        instance: Instance,
        endpoint: str,
        command: Sequence[str],
        folder: Path,
        environment: Mapping[str, str],
    ) -> None:
        warnings.warn(WARNING, RuntimeWarning, stacklevel=2)
        self.endpoint = endpoint
        self._instance = instance
        self._command = tuple(command)
        self._folder = folder
        self._environment = dict(environment)
        self._running: dict[TryKey, _Running] = {}
        self._ended: asyncio.Queue[Ended] = asyncio.Queue()
        self._count = 0
        self._own = f"{instance.home_id}.{instance.id}."

    async def start(self, launch: Launch) -> dict[str, float]:
        """Start a try's process; LaunchFailed if there is no such command."""
        self._count += 1
        mark = f"{self._own}{self._count}"
        output = self._instance.folder / f"{self._count}.log"
        verdict = output.with_suffix(".verdict")
        created_at = time.time()
        variables = child_environment(os.environ, {**self._environment, **launch.environment})
        variables[MARK] = mark
        variables[VERDICT_VARIABLE] = str(verdict)
        variables["LEOFLOW_WORKLOAD"] = encode_workload(launch.workload)
        if launch.artifacts is not None:
            variables["LEOFLOW_ARTIFACTS"] = str(launch.artifacts)
        process = await self._spawn(variables, output)
        started_at = time.time()
        watcher = asyncio.create_task(self._watch(launch.key, process, started_at))
        self._running[launch.key] = _Running(process, mark, output, verdict, watcher)
        return {"created": created_at, "started": started_at}

    async def stop(self, key: TryKey, grace_seconds: float) -> None:
        """Ask the agent to stop, and kill all of the try's processes after the grace."""
        running = self._running.get(key)
        if running is None or running.process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            running.process.terminate()
        try:
            await asyncio.wait_for(asyncio.shield(running.watcher), grace_seconds)
        except TimeoutError:
            _kill(running)

    async def ended(self) -> Ended:
        """Wait for the next try that ended."""
        return await self._ended.get()

    async def log_tail(self, key: TryKey) -> str | None:
        """Give the last lines that the agent wrote to its own output."""
        running = self._running.get(key)
        if running is None:
            return None
        return running.output.read_bytes()[-TAIL_BYTES:].decode("utf-8", "replace") or None

    async def left_verdict(self, key: TryKey) -> bytes | None:
        """Give the verdict that the agent of a try left."""
        running = self._running.get(key)
        if running is None:
            return None
        with contextlib.suppress(OSError), running.verdict.open("rb") as file:
            return file.read(MAX_VERDICT_BYTES)
        return None

    async def remove(self, key: TryKey) -> None:
        """End what the agent left running and remove its output."""
        running = self._running.pop(key, None)
        if running is not None:
            _kill(running)
            running.output.unlink(missing_ok=True)
            running.verdict.unlink(missing_ok=True)

    async def sweep(self) -> list[str]:
        """Kill what processes of this home left running when they were killed themselves."""
        return [f"process {pid}" for pid in kill_marked(MARK, self._is_left)]

    async def close(self) -> None:
        """Kill and reap everything that was started here."""
        for running in self._running.values():
            _kill(running)
        await asyncio.gather(*(running.watcher for running in self._running.values()))
        for key in list(self._running):
            await self.remove(key)
        # A start that was interrupted has a process and no record of it.
        kill_marked(MARK, lambda mark: mark.startswith(self._own))

    def _is_left(self, mark: str) -> bool:
        home, _, rest = mark.partition(".")
        return home == self._instance.home_id and not self._instance.is_alive(
            rest.partition(".")[0]
        )

    async def _spawn(self, variables: Mapping[str, str], output: Path) -> Process:
        try:
            with output.open("wb") as file:
                return await asyncio.create_subprocess_exec(
                    *self._command,
                    cwd=self._folder,
                    env=variables,
                    stdin=DEVNULL,
                    stdout=file,
                    stderr=file,
                    start_new_session=True,
                )
        except OSError as error:
            raise LaunchFailed(
                f"'{self._command[0]}' could not be started in '{self._folder}': {error.strerror}",
                transient=False,
            ) from error

    async def _watch(self, key: TryKey, process: Process, started_at: float) -> None:
        code = await process.wait()
        exit = Exit(code if code >= 0 else exitcode.SIGNAL_BASE - code)
        self._ended.put_nowait(Ended(key, exit, started_at, time.time()))


def child_environment(own: Mapping[str, str], declared: Mapping[str, str]) -> dict[str, str]:
    """Give the environment of a task: what every program needs, what the DAG declares, and nothing
    else of ours."""
    allowed = {
        name: value for name, value in own.items() if name in _ALLOWED or name.startswith("LC_")
    }
    return {**allowed, **declared}


def subprocess_executor(
    command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None
) -> Callable[[Site], Awaitable[SubprocessExecutor]]:
    """Give the factory of an executor that starts ``command`` (the agent) in ``folder``.

    ``environment`` is what the agent needs on top of what each DAG declares.
    """

    async def make(site: Site) -> SubprocessExecutor:
        socket = await site.server.listen_unix() / SOCKET_NAME
        return SubprocessExecutor(
            site.instance, f"unix:{socket}", command, folder, environment or {}
        )

    return make


def _kill(running: _Running) -> None:
    if running.process.returncode is None:
        kill_group(running.process.pid)
    kill_marked(MARK, lambda mark: mark == running.mark)
