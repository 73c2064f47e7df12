"""A control plane over containers of the image made of ``project``, as tests look at it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, Self

from leoflow_agent.spec import DagSpec
from leoflow_controlplane.container import container_name
from leoflow_controlplane.controlplane import ControlPlane
from leoflow_controlplane.executor.docker.engine import Begun, Engine, open_engine
from leoflow_controlplane.executor.docker.executor import DockerExecutor
from leoflow_controlplane.executor.docker.wayback import reach
from leoflow_controlplane.executor.protocol import Site
from leoflow_controlplane.model import RunKey, RunRequest, TryKey
from leoflow_controlplane.setting import Settings

PATIENCE_SECONDS = 120.0
SETTINGS = Settings(max_parallel_tasks=4, grace_seconds=1.0)

Alter = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Subject:
    """What is run: the built DAG and its image."""

    spec: DagSpec
    image: str

    def cut(self, task_ids: Iterable[str], environment: Mapping[str, str]) -> DagSpec:
        """Give a DAG of some of the tasks, with variables of its own."""
        tasks = tuple(self.spec.task(task_id) for task_id in task_ids)
        return replace(self.spec, tasks=tasks, environment=environment)


class Ending(NamedTuple):
    """How a task ended, and all that it printed, both streams together."""

    state: str | None
    reason: str | None
    value: Any
    exit_code: int | None
    oom_killed: bool
    log: str


class AlteredEngine(Engine):
    """An engine that makes each container a little other than it was told to."""

    def __init__(self, client: Any, alter: Alter) -> None:
        super().__init__(client)
        self._alter = alter

    def create_and_start(self, name: str, body: Mapping[str, Any]) -> Begun:
        """See `Engine`."""
        altered = dict(body)
        self._alter(altered)
        return super().create_and_start(name, altered)


def as_it_is(body: dict[str, Any]) -> None:
    """Alter nothing."""


def executor_on(
    engine: Engine, endpoint: str | None = None
) -> Callable[[Site], Awaitable[DockerExecutor]]:
    """Give the factory of the product's executor on an engine that a test has its hands in."""

    async def make(site: Site) -> DockerExecutor:
        place, found = await reach(engine, site, None)
        executor = DockerExecutor(engine, place, site, endpoint or found)
        await executor.open()
        return executor

    return make


class Ward:
    """A control plane while its context is open; afterwards nothing of it may be left."""

    def __init__(
        self,
        subject: Subject,
        home: Path,
        alter: Alter = as_it_is,
        engine: Engine | None = None,
        settings: Settings = SETTINGS,
    ) -> None:
        self._subject = subject
        self.home = home
        self.engine = engine or AlteredEngine(open_engine()._client, alter)
        self.plane = ControlPlane(home, executor_on(self.engine), settings)

    async def __aenter__(self) -> Self:
        await self.plane.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> None:
        await self.plane.__aexit__(*error)

    async def begin(self, *task_ids: str, **environment: str) -> RunKey:
        """Start a run of some tasks."""
        spec = self._subject.cut(task_ids, environment)
        return await self.plane.create_run(RunRequest(spec, self._subject.image))

    async def end(self, key: RunKey) -> dict[str, Ending]:
        """Wait for the end of a run and give its tasks' ends, by task_id."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            result = await self.plane.wait(key)
        return {
            one.task_id: Ending(
                one.state,
                one.reason,
                one.return_value,
                one.exit_code,
                one.oom_killed,
                await self._log(key, one.task_id),
            )
            for one in result.tasks
        }

    async def run(self, *task_ids: str, **environment: str) -> dict[str, Ending]:
        """Run some tasks to their end."""
        return await self.end(await self.begin(*task_ids, **environment))

    async def run_one(self, task_id: str, **environment: str) -> Ending:
        """Run one task to its end."""
        return (await self.run(task_id, **environment))[task_id]

    async def hear(self, key: RunKey, task_id: str, text: str = "ready") -> str:
        """Wait until a task has printed ``text``; give all that it printed."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while text not in (log := await self._log(key, task_id)):
                await asyncio.sleep(0.02)
        return log

    async def order(self, call: str, *args: Any, **options: Any) -> Any:
        """Give the engine an order of a client that is not leoflow."""
        return await asyncio.to_thread(getattr(self.engine._client, call), *args, **options)

    async def execute(self, container: str, code: str) -> None:
        """Run Python code in a container, beside the agent, as `docker exec` does."""
        made = await self.order("exec_create", container, ["python3.11", "-c", code])
        await self.order("exec_start", made["Id"])

    def container(self, key: RunKey, task_id: str) -> str:
        """Name the container of a task's first try."""
        return container_name(TryKey(*key, task_id, -1, 1), self.home_id)

    @property
    def home_id(self) -> str:
        """What marks the containers of this home."""
        return (self.home / "id").read_text().strip()

    async def _log(self, key: RunKey, task_id: str) -> str:
        return "".join(update.text for update in await self.plane.log(TryKey(*key, task_id, -1, 1)))


def left_behind(home: Path) -> list[str]:
    """Name the containers of ``home`` that are still there."""
    engine = open_engine()
    try:
        return [
            item.name
            for item in engine.list_containers(f"leoflow.home={(home / 'id').read_text()}")
        ]
    finally:
        engine.close()


async def all_gone(home: Path) -> None:
    """Wait until no container of ``home`` is left, which the end of a run shortly precedes."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while left_behind(home):
            await asyncio.sleep(0.05)


def run_together(subject: Subject, home: Path, task_ids: Iterable[str]) -> dict[str, Ending]:
    """Run tasks that need nobody's help, and see that nothing is left of them."""

    async def act() -> dict[str, Ending]:
        async with Ward(subject, home) as ward:
            ends = await ward.run(*task_ids)
            await all_gone(home)
            return ends

    return asyncio.run(act())
