"""The parts of the control plane put together for one process; `leoflow run` embeds it."""

from __future__ import annotations

import secrets as randomness
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from leoflow_controlplane.admission import admit
from leoflow_controlplane.agentserver import AgentServer
from leoflow_controlplane.api import AgentApp
from leoflow_controlplane.artifactfolder import artifact_folder
from leoflow_controlplane.audience import NOBODY, Audience
from leoflow_controlplane.book.book import Book, Companion, Policy
from leoflow_controlplane.book.heldrun import RunPlan
from leoflow_controlplane.calendar.backfill import Backfills
from leoflow_controlplane.calendar.schedule import Schedules
from leoflow_controlplane.commander import Commander
from leoflow_controlplane.database import Database
from leoflow_controlplane.error import ControlPlaneError, RunRefused
from leoflow_controlplane.executor.protocol import Executor, ExecutorFactory, Limits, Site
from leoflow_controlplane.instance import Instance, open_instance
from leoflow_controlplane.model import SERVER, RunKey, RunRequest, RunResult, TryKey, Update
from leoflow_controlplane.rehearsal import rehearse
from leoflow_controlplane.scheduler import Scheduler, wall_clock
from leoflow_controlplane.secretsource import EnvironmentSecrets, SecretSource
from leoflow_controlplane.setting import Settings
from leoflow_controlplane.steps import run
from leoflow_controlplane.store.keeper import Keeper
from leoflow_controlplane.store.orphan import fail_orphans
from leoflow_controlplane.store.result import load_log, load_result, load_updates
from leoflow_controlplane.traceparent import read_traceparent
from leoflow_controlplane.trytoken import TryTokens, load_key

DATABASE_NAME = "leoflow.db"
# How long ``leoflow run`` waits for a database that cannot be written.
RUN_PATIENCE_SECONDS = 60.0
NO_SECRETS = EnvironmentSecrets({})


@dataclass(frozen=True)
class Role:
    """Which part a process plays. ``leoflow run`` has runs of its own, which end with it.

    With ``is_server`` it has the server's: what they have started goes on without it and is
    adopted by the next one. ``url`` is the database's, None for the file of the home.
    ``companions`` take part in its steps, beside schedules and backfills; ``realm`` is that of an
    executor's Site, and ``audience`` is told of what happens. ``opened`` is awaited once the
    database is open and before anything is taken up: to wait there is to lead later. Tokens of
    tries are signed with the first of ``token_keys``; without any, with the home's own.
    """

    is_server: bool = False
    url: str | None = None
    companions: Sequence[Companion] = ()
    realm: str | None = None
    opened: Callable[[Database], Awaitable[None]] | None = None
    token_keys: Sequence[bytes] = ()
    audience: Audience = NOBODY


class ControlPlane:
    """Runs DAGs while its context is open, at the orders of ``commands`` and runs of its own.

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
        role: Role = Role(),
    ) -> None:
        self.swept: list[str] = []
        self._home = home.resolve()
        self._make_executor = executor_factory
        self._settings = settings
        self._secrets = secrets
        self._clock = clock
        self._role = role
        self._backfills = Backfills()
        self._stack = AsyncExitStack()
        self._scheduler: Scheduler | None = None
        self._commander: Commander | None = None
        self._executor: Executor | None = None
        self._database: Database | None = None
        self._book: Book | None = None

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            instance = open_instance(self._home)
            stack.callback(instance.close)
            scheduler = await self._open(stack, instance)
            app = AgentApp(scheduler, self._role.audience.observer)
            server = AgentServer(instance, app, app.take_report)
            stack.push_async_callback(server.close)
            owner = SERVER if self._role.is_server else None
            limits = Limits.of(self._settings)
            site = Site(instance, server, scheduler, owner, self._role.realm, limits)
            executor = await self._make_executor(site)
            stack.push_async_callback(executor.close, self._role.is_server)
            stack.push_async_callback(scheduler.close)
            self.swept = await executor.sweep()
            self.swept += [f"instance {name}" for name in instance.sweep()]
            await self.database.run(fail_orphans, instance.is_alive, self._clock())
            # A step may hand out tries as soon as it is there, and asks where artifacts are.
            self._executor = executor
            self._commander = Commander(
                scheduler, self.database, executor, self._settings, self._backfills, self._clock
            )
            await scheduler.start(executor)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)

    @property
    def database(self) -> Database:
        """Where the state is; queries of others read it."""
        if self._database is None:
            raise _not_running()
        return self._database

    @property
    def desk(self) -> Scheduler:
        """Who takes in what agents say, for an `AgentApp` of a server's own."""
        return self._running

    @property
    def commands(self) -> Commander:
        """Who carries out what people ask for."""
        if self._commander is None:
            raise _not_running()
        return self._commander

    def needs(self, run_pk: int) -> bool:
        """Say whether a run must not be deleted: its rows may be behind what is in memory, or
        another one waits for how it went. For the writer's thread."""
        return self._book is not None and self._book.needs(run_pk)

    async def create_run(self, request: RunRequest) -> RunKey:
        """Start a run; RunRefused says everything that is wrong with the request."""
        admit(request, self._settings, self._secrets)
        if self._executor is None:
            raise _not_running()
        found = await rehearse(request.spec, request.image, self._executor, self._settings)
        if found.problems:
            raise RunRefused("\n".join(found.problems))
        date = request.logical_date or datetime.fromtimestamp(self._clock(), UTC).isoformat()
        plan = RunPlan(
            run_id=request.run_id or f"manual__{date}__{randomness.token_hex(3)}",
            run_type="manual",
            logical_date=date,
            data_interval_start=date,
            data_interval_end=date,
            conf=request.conf,
            traceparent=read_traceparent(request.traceparent),
            task_id=request.task_id,
            inputs=request.inputs,
        )
        wanted = (request.spec, request.image)
        await self._running.do(run.submit, wanted, plan, self._clock())
        return RunKey(request.spec.dag_id, plan.run_id)

    async def watch(self, key: RunKey) -> AsyncIterator[Update]:
        """Yield all that happens in a run, from its beginning to its end, in order.

        Ends when the run has its final state and its containers have ended. Raises
        ControlPlaneError if the control plane itself fails, KeyError if there is no such run.
        """
        cursor, over = 0, False
        while not over:
            ring = self._running.bell.next_ring(key)
            updates, cursor, over = await self.database.read(load_updates, key, cursor)
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
        await self._running.do(run.cancel, key, self._clock())

    async def result(self, key: RunKey) -> RunResult:
        """Tell how a run stands; KeyError if there is no such run."""
        return await self.database.read(load_result, key)

    async def log(self, key: TryKey) -> list[Update]:
        """Give what a try wrote, in order; KeyError if there is no such run."""
        return await self.database.read(load_log, key)

    def artifacts_folder(self, key: TryKey) -> str:
        """Name the place that keeps the artifacts of a try: a folder of this machine, but for
        Pods."""
        if self._executor is not None and self._executor.pods is not None:
            return self._executor.pods.place_of_artifacts(key)
        return str(artifact_folder(self._home, key))

    @property
    def _running(self) -> Scheduler:
        if self._scheduler is None:
            raise _not_running()
        return self._scheduler

    async def _open(self, stack: AsyncExitStack, instance: Instance) -> Scheduler:
        owner = SERVER if self._role.is_server else instance.id
        keys = (*self._role.token_keys, load_key(self._home))
        tokens = TryTokens(keys[0], self._settings.try_token_seconds, older=keys[1:])
        policy = Policy(owner, self._settings, tokens.issue, self.artifacts_folder)
        book = Book(policy, Keeper(), self._companions())
        audience = self._role.audience
        database = Database(self._role.url or self._home / DATABASE_NAME, book, audience.observer)
        stack.push_async_callback(database.close)
        await database.open()
        self._database = database
        if self._role.opened is not None:
            await self._role.opened(database)
        self._book = book
        # Nobody looks after a run of its own; a server waits for whoever makes room on the disk.
        patience = None if self._role.is_server else RUN_PATIENCE_SECONDS
        scheduler = Scheduler(
            database, book, tokens, self._secrets, self._clock, audience, patience
        )
        self._scheduler = scheduler
        if not self._role.is_server:
            stack.push_async_callback(self._abandon, instance.id)
        return scheduler

    def _companions(self) -> Sequence[Companion]:
        calendar = (Schedules(), self._backfills) if self._role.is_server else ()
        return (*calendar, *self._role.companions)

    async def _abandon(self, instance_id: str) -> None:
        """Write down that runs which are not over now never will be."""
        await self.database.run(fail_orphans, lambda name: name != instance_id, self._clock())

    def _raise_failure(self) -> None:
        failure = self._running.failure
        if failure is not None:
            raise ControlPlaneError(f"the control plane failed: {failure}") from failure


def _not_running() -> ControlPlaneError:
    return ControlPlaneError("the control plane is not running: enter its context first")
