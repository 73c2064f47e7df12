"""The parts of the control plane put together for one process; `leoflow run` embeds it."""

from __future__ import annotations

import hashlib
import re
import secrets as randomness
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from leoflow_controlplane.admission import admit
from leoflow_controlplane.agentserver import AgentServer
from leoflow_controlplane.api import make_app
from leoflow_controlplane.database import Database
from leoflow_controlplane.error import ControlPlaneError
from leoflow_controlplane.executor.protocol import ExecutorFactory, Limits, Site
from leoflow_controlplane.instance import open_instance
from leoflow_controlplane.model import RunKey, RunRequest, RunResult, TryKey, Update
from leoflow_controlplane.scheduler import Scheduler, wall_clock
from leoflow_controlplane.secretsource import EnvironmentSecrets, SecretSource
from leoflow_controlplane.setting import Settings
from leoflow_controlplane.store.attempt import Policy
from leoflow_controlplane.store.result import load_log, load_result, load_updates
from leoflow_controlplane.store.run import fail_orphans

DATABASE_NAME = "leoflow.db"
NO_SECRETS = EnvironmentSecrets({})


class ControlPlane:
    """Runs DAGs while its context is open; all that it started is gone when the context ends.

    ``home`` is LEOFLOW_HOME. Entering raises DatabaseUnusable or ExecutorUnusable. ``swept``
    then names what dead processes of the same home had left behind and is gone now. ``secrets``
    has the variables and connections that tasks declare.
    """

    def __init__(
        self,
        home: Path,
        executor_factory: ExecutorFactory,
        settings: Settings,
        secrets: SecretSource = NO_SECRETS,
        clock: Callable[[], float] = wall_clock,
    ) -> None:
        self.swept: list[str] = []
        self._home = home.resolve()
        self._make_executor = executor_factory
        self._settings = settings
        self._secrets = secrets
        self._clock = clock
        self._database = Database(self._home / DATABASE_NAME)
        self._stack = AsyncExitStack()
        self._scheduler: Scheduler | None = None

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            instance = open_instance(self._home)
            stack.callback(instance.close)
            await self._database.open()
            stack.push_async_callback(self._database.close)
            policy = Policy(
                instance.id,
                self._settings,
                lambda: randomness.token_urlsafe(24),
                self.artifacts_folder,
            )
            scheduler = self._scheduler = Scheduler(
                self._database, policy, self._secrets, self._clock
            )
            stack.push_async_callback(self._abandon, instance.id)
            server = AgentServer(instance, make_app(scheduler))
            stack.push_async_callback(server.close)
            limits = Limits.of(self._settings)
            site = Site(instance, server, scheduler, limits=limits)
            executor = await self._make_executor(site)
            stack.push_async_callback(executor.close)
            stack.push_async_callback(scheduler.close)
            self.swept = await executor.sweep()
            self.swept += [f"instance {name}" for name in instance.sweep()]
            await self._database.run(fail_orphans, instance.is_alive, self._clock())
            scheduler.start(executor)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)

    async def create_run(self, request: RunRequest) -> RunKey:
        """Start a run; RunRefused says everything that is wrong with the request."""
        admit(request, self._settings, self._secrets)
        date = request.logical_date or datetime.fromtimestamp(self._clock(), UTC).isoformat()
        run_id = request.run_id or f"manual__{date}__{randomness.token_hex(3)}"
        key = RunKey(request.spec.dag_id, run_id)
        await self._running.submit(replace(request, logical_date=date, run_id=run_id), key)
        return key

    async def watch(self, key: RunKey) -> AsyncIterator[Update]:
        """Yield all that happens in a run, from its beginning to its end, in order.

        Ends when the run has its final state and its containers have ended. Raises
        ControlPlaneError if the control plane itself fails, KeyError if there is no such run.
        """
        cursor, over = 0, False
        while not over:
            ring = self._running.bell.next_ring()
            updates, cursor, over = await self._database.run(load_updates, key, cursor)
            for update in updates:
                yield update
            if not updates and not over:
                self._raise_failure()
                await ring.wait()

    async def wait(self, key: RunKey) -> RunResult:
        """Wait for the end of a run and return its result; raises as `watch`."""
        async for _ in self.watch(key):
            pass
        return await self.result(key)

    async def cancel(self, key: RunKey) -> None:
        """Cancel a run: what waits is skipped, what runs is stopped; harmless when it is over."""
        await self._running.cancel(key)

    async def result(self, key: RunKey) -> RunResult:
        """Tell how a run stands; KeyError if there is no such run."""
        return await self._database.run(load_result, key)

    async def log(self, key: RunKey, task_id: str, try_number: int) -> list[Update]:
        """Give what one try of a task wrote, in order."""
        return await self._database.run(load_log, key, task_id, try_number)

    def artifacts_folder(self, key: TryKey) -> str:
        """Name the folder that keeps the artifacts of a try."""
        words = [key.dag_id, key.run_id, key.task_id]
        if key.map_index >= 0:
            words.append(str(key.map_index))
        folder = self._home / "runs"
        return str(folder.joinpath(*map(_path_word, words), f"try-{key.try_number}"))

    @property
    def _running(self) -> Scheduler:
        if self._scheduler is None:
            raise ControlPlaneError("the control plane is not running: enter its context first")
        return self._scheduler

    async def _abandon(self, instance_id: str) -> None:
        """Write down that runs which are not over now never will be."""
        await self._database.run(fail_orphans, lambda name: name != instance_id, self._clock())

    def _raise_failure(self) -> None:
        failure = self._running.failure
        if failure is not None:
            raise ControlPlaneError(f"the control plane failed: {failure}") from failure


def _path_word(word: str) -> str:
    """Make a name that is one path component, and another one for another word."""
    safe = re.sub(r"[^A-Za-z0-9_.+-]", "-", word)
    if safe == word and word not in ("", ".", ".."):
        return word
    return f"{safe[:80]}-{hashlib.sha256(word.encode()).hexdigest()[:8]}"
