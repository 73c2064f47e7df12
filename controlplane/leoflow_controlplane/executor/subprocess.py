"""Run tries as processes of this machine. For development only: nothing isolates them, and no
limit of their resources is kept.

A process lives on when its control plane is killed, and is adopted by the next one: see
``tryfolder`` for what is on disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import time
import warnings
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass

from leoflow_agent.wire import VERDICT_VARIABLE

from leoflow_controlplane.agentserver import SOCKET_NAME
from leoflow_controlplane.error import LaunchFailed
from leoflow_controlplane.executor.hostproject import FindProject, HostProject
from leoflow_controlplane.executor.process import (
    child_environment,
    kill_group,
    kill_marked,
    open_marked,
    reap,
    spawn,
    wait_for_end,
)
from leoflow_controlplane.executor.protocol import Ended, Figures, Site
from leoflow_controlplane.executor.tryfolder import TryFolder, find_folders, name_of
from leoflow_controlplane.launch import Launch
from leoflow_controlplane.model import SERVER, RunKey, TryKey
from leoflow_controlplane.verdict import judge_code
from leoflow_controlplane.workload import encode_workload

WARNING = (
    "tasks run as plain subprocesses: no container isolates them and no resource limit is kept. "
    "This is for development only; with a Docker engine use --executor docker."
)
# realm.owner.try: whose process it is, for as long as it inherits its environment.
MARK = "LEOFLOW_PROCESS"


@dataclass
class _Running:
    """A try that was started or adopted. ``fd`` None: its process had ended when it was found."""

    key: TryKey
    pid: int
    fd: int | None
    mark: str
    folder: TryFolder
    started_at: float | None
    watcher: asyncio.Task[None] | None = None
    ended: bool = False


class SubprocessExecutor:
    """Starts the agent in a DAG's folder for each try, in a session of its own."""

    # Its agents come through a socket.
    ca = None
    trouble: str | None = None
    pods = None

    def __init__(self, site: Site, endpoint: str, find_project: FindProject) -> None:
        warnings.warn(WARNING, RuntimeWarning, stacklevel=2)
        self.endpoint = endpoint
        self.figures = Figures()
        self._site = site
        self._find_project = find_project
        # What outlives this process is not in its folder.
        home = site.instance.home if site.is_server else site.instance.folder
        self._tries = home / "processes"
        self._staging = home / "staging"
        self._running: dict[TryKey, _Running] = {}
        self._over: set[RunKey] = set()
        self._ended: asyncio.Queue[Ended] = asyncio.Queue()
        self._own = f"{site.realm_id}.{site.owner_id}."

    async def start(self, launch: Launch) -> dict[str, float]:
        """Start a try's process, or adopt it; LaunchFailed if there is no such command."""
        key, folder = launch.key, self._folder(launch.key)
        if key in self._running:
            return {}
        if folder.read_pid() is not None:
            self._take_over(key, folder)
            return {}
        project = await asyncio.to_thread(self._find_project, key.dag_id)
        created_at = time.time()
        try:
            variables = self._environment(launch, project, folder)
            folder.make(key)
        except OSError as error:
            folder.remove()
            raise LaunchFailed(
                f"'{folder.path}' cannot be written: {error.strerror}. Free some space, or set "
                "LEOFLOW_HOME to a folder on another disk",
                transient=True,
            ) from error
        try:
            pid = self._spawn(project, variables, folder)
        except LaunchFailed:
            folder.remove()
            raise
        fd = _open(pid, folder)
        self.figures.started += 1
        self._watch(_Running(key, pid, fd, self._mark(key), folder, time.time()))
        return {"created": created_at, "started": time.time()}

    async def stop(self, key: TryKey, grace_seconds: float) -> None:
        """Ask the agent to stop, and kill all of the try's processes after the grace."""
        running = self._running.get(key)
        if running is None or running.ended or running.fd is None or running.watcher is None:
            return
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(running.fd, signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_seconds):
                await asyncio.shield(running.watcher)
            return
        _kill(running)

    async def ended(self) -> Ended:
        """Wait for the next try that ended."""
        return await self._ended.get()

    async def log_tail(self, key: TryKey) -> str | None:
        """Give the last lines that the agent wrote to its own output."""
        return self._folder(key).read_tail()

    async def left_verdict(self, key: TryKey) -> bytes | None:
        """Give the verdict that the agent of a try left."""
        return self._folder(key).read_verdict()

    async def remove(self, key: TryKey) -> None:
        """End what the agent left running and remove its output."""
        running = self._running.pop(key, None)
        if running is not None:
            _kill(running)
            running.folder.remove()
        if key.run in self._over:
            await self.end_run(key.run)

    async def end_run(self, run: RunKey) -> None:
        """Remove the folder that the tries of a run shared."""
        if any(key.run == run for key in self._running):
            self._over.add(run)
            return
        self._over.discard(run)
        await asyncio.to_thread(shutil.rmtree, self._staging / name_of(run), ignore_errors=True)

    async def adopt(self, wanted: Collection[TryKey], runs: Collection[RunKey]) -> set[TryKey]:
        """Take over the processes of a dead control plane, and kill those that are not wanted."""
        adopted: set[TryKey] = set()
        for key, folder in find_folders(self._tries):
            if key in self._running:
                continue
            if key is not None and key in wanted and folder.read_pid() is not None:
                self._take_over(key, folder)
                adopted.add(key)
            else:
                kill_marked(MARK, f"{self._own}{folder.path.name}".__eq__)
                folder.remove()
        open_folders = {name_of(run) for run in runs}
        for path in self._staging.glob("*/"):
            if path.name not in open_folders:
                await asyncio.to_thread(shutil.rmtree, path, ignore_errors=True)
        return adopted

    async def sweep(self) -> list[str]:
        """Kill what processes of this home left running when they were killed themselves."""
        return [f"process {pid}" for pid in kill_marked(MARK, self._is_left)]

    async def close(self, leave_running: bool = False) -> None:
        """Kill and reap everything that was started here, or only stop to look at it."""
        watchers = [r.watcher for r in self._running.values() if r.watcher is not None]
        for running in self._running.values():
            if not leave_running:
                _kill(running)
            elif running.watcher is not None:
                running.watcher.cancel()
        await asyncio.gather(*watchers, return_exceptions=True)
        if leave_running:
            return
        for key in list(self._running):
            await self.remove(key)
        # A start that was interrupted has a process and no record of it.
        kill_marked(MARK, lambda mark: mark.startswith(self._own))
        await asyncio.to_thread(shutil.rmtree, self._staging, ignore_errors=True)

    def _is_left(self, mark: str) -> bool:
        realm, _, rest = mark.partition(".")
        owner = rest.partition(".")[0]
        is_ours = realm == self._site.realm_id and owner != SERVER
        return is_ours and not self._site.instance.is_alive(owner)

    def _folder(self, key: TryKey) -> TryFolder:
        return TryFolder(self._tries / name_of(key))

    def _mark(self, key: TryKey) -> str:
        return f"{self._own}{name_of(key)}"

    def _environment(
        self, launch: Launch, project: HostProject, folder: TryFolder
    ) -> dict[str, str]:
        declared = {**project.environment, **launch.environment}
        variables = child_environment(os.environ, declared)
        variables[MARK] = self._mark(launch.key)
        variables[VERDICT_VARIABLE] = str(folder.verdict)
        variables["LEOFLOW_WORKLOAD"] = encode_workload(launch.workload)
        if launch.artifacts is not None:
            variables["LEOFLOW_ARTIFACTS"] = launch.artifacts
        if launch.staging_bytes is not None:
            shared = self._staging / name_of(launch.key.run)
            shared.mkdir(parents=True, exist_ok=True)
            variables["LEOFLOW_STAGING"] = str(shared)
            variables["LEOFLOW_STAGING_BYTES"] = str(launch.staging_bytes)
        return variables

    def _spawn(self, project: HostProject, variables: Mapping[str, str], folder: TryFolder) -> int:
        command = project.command
        try:
            if shutil.which(command[0], path=variables.get("PATH")) is None:
                raise FileNotFoundError(2, "there is no such program")
            if not project.folder.is_dir():
                raise FileNotFoundError(2, "there is no such folder")
            return spawn(command, project.folder, variables, folder.output, folder.pid_file)
        except OSError as error:
            raise LaunchFailed(
                f"'{command[0]}' could not be started in '{project.folder}': {error.strerror}",
                transient=False,
            ) from error

    def _take_over(self, key: TryKey, folder: TryFolder) -> None:
        pid = folder.read_pid()
        assert pid is not None
        fd = open_marked(pid, MARK, self._mark(key))
        self.figures.adopted += 1
        self._watch(_Running(key, pid, fd, self._mark(key), folder, started_at=None))

    def _watch(self, running: _Running) -> None:
        self._running[running.key] = running
        self.figures.running += 1
        running.watcher = asyncio.create_task(self._await_end(running))

    async def _await_end(self, running: _Running) -> None:
        ended_at, code = None, None
        if running.fd is not None:
            try:
                await wait_for_end(running.fd)
            finally:
                os.close(running.fd)
                running.fd = None
            ended_at, code = time.time(), reap(running.pid)
        running.ended = True
        self.figures.running -= 1
        exit = running.folder.judge() if code is None else judge_code(code)
        self._ended.put_nowait(Ended(running.key, exit, running.started_at, ended_at))


def _open(pid: int, folder: TryFolder) -> int:
    """Open a process that was just started; LaunchFailed, which leaves none, if that cannot be."""
    try:
        # A child is there until it is reaped, so that nobody else can have its id.
        return os.pidfd_open(pid)
    except OSError as error:
        # Nobody would see its end, and another try of its task would run beside it.
        kill_group(pid)
        reap(pid)
        folder.remove()
        reason = f"its process cannot be watched: {error.strerror}"
        raise LaunchFailed(reason, transient=True) from error


def subprocess_executor(
    find_project: FindProject,
) -> Callable[[Site], Awaitable[SubprocessExecutor]]:
    """Give the factory of an executor that runs the DAGs which ``find_project`` finds."""

    async def make(site: Site) -> SubprocessExecutor:
        folder = await site.server.listen_unix(stable=site.is_server)
        return SubprocessExecutor(site, f"unix:{folder / SOCKET_NAME}", find_project)

    return make


def _kill(running: _Running) -> None:
    # The group's id is good for as long as its leader is not reaped.
    if running.fd is not None and not running.ended:
        kill_group(running.pid)
    kill_marked(MARK, running.mark.__eq__)
