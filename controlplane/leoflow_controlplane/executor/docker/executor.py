"""Run tries as containers of a Docker engine. Decides nothing; ``container`` says what they are.

Puts together what ``starting``, ``watching`` and ``tidying`` do.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import suppress

from leoflow_agent.wire import MAX_VERDICT_BYTES, VERDICT_FILE

from leoflow_controlplane.container import (
    LABEL_HOME,
    LABEL_INSTANCE,
    ContainerSite,
    container_name,
    make_container,
    read_run,
    read_try,
    volume_name,
)
from leoflow_controlplane.error import ExecutorUnusable
from leoflow_controlplane.executor.docker.calls import EngineCalls, pause
from leoflow_controlplane.executor.docker.engine import Engine, Found, open_engine
from leoflow_controlplane.executor.docker.fault import EngineUnreachable
from leoflow_controlplane.executor.docker.pulling import Pulls
from leoflow_controlplane.executor.docker.starting import Starter
from leoflow_controlplane.executor.docker.thread import in_thread
from leoflow_controlplane.executor.docker.tidying import Tidying
from leoflow_controlplane.executor.docker.watching import LIST_SECONDS, Live, Watch
from leoflow_controlplane.executor.docker.wayback import reach
from leoflow_controlplane.executor.protocol import Ended, Figures, Site
from leoflow_controlplane.executor.reach import Address
from leoflow_controlplane.launch import Launch
from leoflow_controlplane.model import SERVER, RunKey, TryKey

TAIL_LINES = 50

logger = logging.getLogger("leoflow.executor.docker")


class DockerExecutor:
    """One container for each try. Make it with `docker_executor`."""

    pods = None

    def __init__(
        self,
        engine: Engine,
        place: ContainerSite,
        site: Site,
        endpoint: str,
        ca: str | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.ca = ca
        self.figures = Figures()
        self._engine = engine
        self._place = place
        self._site = site
        labels = (f"{LABEL_HOME}={place.home_id}", f"{LABEL_INSTANCE}={place.instance_id}")
        self._calls = EngineCalls(engine, labels, self.figures)
        # What a dead process left has an owner only once it was adopted.
        self._tidying = Tidying(self._calls, may_remove_strays=not site.is_server)
        self._watch = Watch(self._calls, self._tidying, site.limits.engine_grace_seconds)
        self._pulls = Pulls(engine, site.limits.pull_timeout_seconds, self.figures)
        self._starter = Starter(engine, self._pulls, site.limits, self.figures)

    @property
    def trouble(self) -> str | None:
        """Whether the engine is away."""
        return self._watch.trouble

    async def open(self) -> None:
        """Begin to listen for containers that end."""
        await self._watch.open()

    async def start(self, launch: Launch) -> dict[str, float]:
        """Create and start the container of a try, or adopt the one that is there."""
        name, known = self._name(launch.key), self._watch.live
        if name in known:
            await known[name].settled.wait()
            return {}
        body = make_container(launch, self._place)
        live = known[name] = Live(launch.key, name)
        try:
            begun = await self._starter.start(launch, name, body, live.unwanted)
        except BaseException:
            known.pop(name, None)
            live.settled.set()
            raise
        if begun.created_at is None:
            self.figures.adopted += 1
        else:
            self.figures.started += 1
        self._watch.look_after(live, ended=begun.ended)
        return {} if begun.created_at is None else {"created": begun.created_at}

    async def stop(self, key: TryKey, grace_seconds: float) -> None:
        """Send SIGTERM, and SIGKILL after the grace."""
        live = self._watch.live.get(self._name(key))
        if live is None:
            return
        live.unwanted.set()
        await live.settled.wait()
        if not live.started:
            return
        if grace_seconds > 0:
            await self._signal(live, "SIGTERM")
            if await _happens(live.gone, grace_seconds):
                return
        # An engine that is away now may be back before it is given up.
        while not live.gone.is_set():
            await self._signal(live, "SIGKILL")
            await _happens(live.gone, LIST_SECONDS)

    async def ended(self) -> Ended:
        """Wait for the next container that ended; it is read out and not yet removed."""
        return await self._watch.next_end()

    async def log_tail(self, key: TryKey) -> str | None:
        """Give the last lines that the container wrote."""
        with suppress(EngineUnreachable):
            return await self._calls.run(self._engine.tail, self._name(key), TAIL_LINES)
        return None

    async def left_verdict(self, key: TryKey) -> bytes | None:
        """Read the verdict that the agent left in a container which ended."""
        file = (self._name(key), VERDICT_FILE, MAX_VERDICT_BYTES)
        with suppress(EngineUnreachable):
            return await self._calls.run(self._engine.read_file, *file)
        return None

    async def remove(self, key: TryKey) -> None:
        """Remove the container of a try, even if it runs."""
        name = self._name(key)
        await self._tidying.remove([name])
        self._watch.live.pop(name, None)

    async def end_run(self, run: RunKey) -> None:
        """Remove the volume of a run."""
        await self._tidying.remove_volumes([volume_name(run, self._place.home_id)])

    async def adopt(self, wanted: Collection[TryKey], runs: Collection[RunKey]) -> set[TryKey]:
        """Take over the containers of a dead process, and remove those that are not wanted.

        Waits for an engine that is away.
        """
        adopted: set[TryKey] = set()
        rest = []
        for container in await self._calls.patiently(self._calls.containers):
            if container.name in self._watch.live:
                continue
            key = read_try(container.labels)
            if key is not None and key in wanted and await self._take_over(key, container):
                adopted.add(key)
            else:
                rest.append(container.name)
        await self._tidying.remove(rest)
        volumes = await self._calls.patiently(self._calls.volumes)
        await self._tidying.remove_volumes(
            v.name for v in volumes if read_run(v.labels) not in runs
        )
        self._tidying.may_remove_strays = True
        return adopted

    async def sweep(self) -> list[str]:
        """Remove the containers and volumes of dead processes of this home."""
        engine, run, home = self._engine, self._calls.run, self._calls.labels[0]
        containers = [c for c in await run(engine.list_containers, home) if self._is_dead(c.labels)]
        volumes = [v for v in await run(engine.list_volumes, home) if self._is_dead(v.labels)]
        await asyncio.gather(*(run(engine.remove, c.name) for c in containers))
        await asyncio.gather(*(run(engine.remove_volume, v.name) for v in volumes))
        return [f"container {c.name}" for c in containers] + [f"volume {v.name}" for v in volumes]

    async def close(self, leave_running: bool = False) -> None:
        """Remove every container that was started here, also one whose start is under way."""
        await self._watch.close()
        await self._pulls.close()
        await asyncio.gather(*self._starter.under_way, return_exceptions=True)
        if not leave_running:
            await self._remove_own()
        self._calls.close()

    async def _remove_own(self) -> None:
        run, remove = self._calls.run, self._engine.remove
        try:
            names = set(self._watch.live) | {c.name for c in await self._calls.containers()}
            await asyncio.gather(*(run(remove, name) for name in names))
            for volume in await self._calls.volumes():
                await run(self._engine.remove_volume, volume.name)
        except EngineUnreachable as error:
            logger.warning("containers are left for the next sweep: %s", error)

    def _name(self, key: TryKey) -> str:
        return container_name(key, self._place.home_id)

    def _is_dead(self, labels: Mapping[str, str]) -> bool:
        owner = labels[LABEL_INSTANCE]
        return owner != SERVER and not self._site.instance.is_alive(owner)

    async def _take_over(self, key: TryKey, container: Found) -> bool:
        ended = container.ended
        if container.state == "created":
            try:
                ended = await self._calls.run(self._engine.start, container.name)
            except EngineUnreachable as error:
                logger.warning("container '%s' cannot be started: %s", container.name, error)
                return False
        self.figures.adopted += 1
        self._watch.look_after(Live(key, container.name), ended=ended)
        return True

    async def _signal(self, live: Live, signal: str) -> None:
        try:
            await self._calls.run(self._engine.kill, live.name, signal)
        except EngineUnreachable as error:
            logger.warning("container '%s' cannot be sent %s: %s", live.name, signal, error)


def docker_executor(
    address: Address | None = None,
    *,
    patient: bool = False,
    environment: Mapping[str, str] | None = None,
) -> Callable[[Site], Awaitable[DockerExecutor]]:
    """Give the factory of an executor on the engine that DOCKER_HOST names.

    ``address`` is where containers reach this process; None: a mounted socket on a local engine,
    loopback behind Docker Desktop. Raises ExecutorUnusable; with ``patient`` the factory waits
    for an engine that does not answer, and logs that it does. ``environment`` is `open_engine`'s.
    """

    async def make(site: Site) -> DockerExecutor:
        engine = await _open_engine(patient, environment)
        try:
            place, endpoint = await reach(engine, site, address)
            ca = None if address is None else address.ca
            executor = DockerExecutor(engine, place, site, endpoint, ca)
            await executor.open()
        except BaseException:
            engine.close()
            raise
        return executor

    return make


async def _open_engine(patient: bool, environment: Mapping[str, str] | None) -> Engine:
    attempt = 0
    while True:
        try:
            return await in_thread(open_engine, environment)
        except ExecutorUnusable as error:
            if not patient:
                raise
            if attempt == 0:
                logger.warning("no task can start yet, waiting for the engine: %s", error)
        await asyncio.sleep(pause(attempt))
        attempt += 1


async def _happens(event: asyncio.Event, seconds: float) -> bool:
    # asyncio.wait_for() of Python 3.11 forgets a cancellation that comes with the event.
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
    return event.is_set()
