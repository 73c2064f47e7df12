"""Run tries as containers of a Docker engine. Decides nothing; ``container`` says what they are.

Blocking calls of the engine's client run in threads. That a container ended is told by the
engine's events, and by a list every few seconds in case that an event was lost.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

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
from leoflow_controlplane.executor.engine import Engine, Found, open_engine
from leoflow_controlplane.executor.enginefault import EngineUnreachable
from leoflow_controlplane.executor.protocol import Ended, Figures, Launch, Site
from leoflow_controlplane.executor.pulling import Pulls
from leoflow_controlplane.executor.reach import Address, reach
from leoflow_controlplane.executor.starting import Starter
from leoflow_controlplane.executor.thread import in_thread
from leoflow_controlplane.model import SERVER, RunKey, TryKey
from leoflow_controlplane.verdict import Exit

T = TypeVar("T")

LIST_SECONDS = 5.0
# So often is a list also made when there is nothing to look after.
IDLE_ROUNDS = 12
STRAY_SECONDS = 30.0
RECONNECT_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)
TAIL_LINES = 50

logger = logging.getLogger("leoflow.executor.docker")


@dataclass
class _Live:
    """A container that is to be looked after. ``settled``: it was started, or never will be."""

    key: TryKey
    name: str
    started: bool = False
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    unwanted: asyncio.Event = field(default_factory=asyncio.Event)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    reading: bool = False
    oom_seen: bool = False


class DockerExecutor:
    """One container for each try. Make it with `docker_executor`."""

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
        self._pulls = Pulls(engine, site.limits.pull_timeout_seconds, self.figures)
        self._starter = Starter(engine, self._pulls, site.limits)
        self._pool = ThreadPoolExecutor(max_workers=8, thread_name_prefix="leoflow-engine")
        self._live: dict[str, _Live] = {}
        self._strays: dict[str, float] = {}
        self._ended_volumes: set[str] = set()
        self._ended: asyncio.Queue[Ended] = asyncio.Queue()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._unreachable_since: float | None = None
        self._labels = (
            f"{LABEL_HOME}={place.home_id}",
            f"{LABEL_INSTANCE}={place.instance_id}",
        )
        # What a dead process left has an owner only once it was adopted.
        self._knows_all = not site.is_server

    async def open(self) -> None:
        """Begin to listen for containers that end."""
        ready = asyncio.Event()
        self._spawn(self._listen(ready))
        self._spawn(self._list_regularly())
        await ready.wait()

    async def start(self, launch: Launch) -> dict[str, float]:
        """Create and start the container of a try, or adopt the one that is there."""
        name = self._name(launch.key)
        if name in self._live:
            await self._live[name].settled.wait()
            return {}
        body = make_container(launch, self._place)
        live = self._live[name] = _Live(launch.key, name)
        try:
            begun = await self._starter.start(launch, name, body, live.unwanted)
        except BaseException:
            self._live.pop(name, None)
            live.settled.set()
            raise
        self.figures.started += 1
        self._look_after(live, begun.ended)
        return {} if begun.created_at is None else {"created": begun.created_at}

    async def stop(self, key: TryKey, grace_seconds: float) -> None:
        """Send SIGTERM, and SIGKILL after the grace."""
        live = self._live.get(self._name(key))
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
        return await self._ended.get()

    async def log_tail(self, key: TryKey) -> str | None:
        """Give the last lines that the container wrote."""
        name = self._name(key)
        try:
            return await self._run(self._engine.tail, name, TAIL_LINES)
        except EngineUnreachable:
            return None

    async def left_verdict(self, key: TryKey) -> bytes | None:
        """Read the verdict that the agent left in a container which ended."""
        name = self._name(key)
        try:
            return await self._run(self._engine.read_file, name, VERDICT_FILE, MAX_VERDICT_BYTES)
        except EngineUnreachable:
            return None

    async def remove(self, key: TryKey) -> None:
        """Remove the container of a try, even if it runs."""
        name = self._name(key)
        try:
            await self._run(self._engine.remove, name)
        except EngineUnreachable as error:
            logger.warning("container '%s' cannot be removed yet: %s", name, error)
            self._strays[name] = time.monotonic() - STRAY_SECONDS
        self._live.pop(name, None)
        if self._ended_volumes:
            await self._remove_volumes()

    async def end_run(self, run: RunKey) -> None:
        """Remove the volume of a run."""
        self._ended_volumes.add(volume_name(run, self._place.home_id))
        await self._remove_volumes()

    async def adopt(self, wanted: Collection[TryKey], runs: Collection[RunKey]) -> set[TryKey]:
        """Take over the containers of a dead process, and remove those that are not wanted.

        Waits for an engine that is away.
        """
        there = await self._patiently(self._own)
        adopted: set[TryKey] = set()
        rest = []
        for container in there:
            key = read_try(container.labels)
            if container.name in self._live:
                continue
            if key is not None and key in wanted and await self._take_over(key, container):
                adopted.add(key)
            else:
                rest.append(container.name)
        await self._remove_all(rest)
        volumes = await self._patiently(self._own_volumes)
        self._ended_volumes |= {v.name for v in volumes if read_run(v.labels) not in runs}
        await self._remove_volumes()
        self._knows_all = True
        return adopted

    async def sweep(self) -> list[str]:
        """Remove the containers and volumes of dead processes of this home."""
        containers = await self._run(self._engine.list_containers, self._labels[0])
        volumes = await self._run(self._engine.list_volumes, self._labels[0])
        dead = [c.name for c in containers if self._is_dead(c.labels[LABEL_INSTANCE])]
        dead_volumes = [v.name for v in volumes if self._is_dead(v.labels[LABEL_INSTANCE])]
        await asyncio.gather(*(self._run(self._engine.remove, name) for name in dead))
        await asyncio.gather(*(self._run(self._engine.remove_volume, n) for n in dead_volumes))
        return [f"container {name}" for name in dead] + [f"volume {n}" for n in dead_volumes]

    async def close(self, leave_running: bool = False) -> None:
        """Remove every container that was started here, also one whose start is under way."""
        self._engine.stop_listening()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, self._pulls.close(), return_exceptions=True)
        await asyncio.gather(*self._starter.under_way, return_exceptions=True)
        if not leave_running:
            await self._remove_own()
        self._pool.shutdown(wait=False)
        self._engine.close()

    async def _remove_own(self) -> None:
        try:
            names = set(self._live) | {container.name for container in await self._own()}
            await asyncio.gather(*(self._run(self._engine.remove, name) for name in names))
            for volume in await self._own_volumes():
                await self._run(self._engine.remove_volume, volume.name)
        except EngineUnreachable as error:
            logger.warning("containers are left for the next sweep: %s", error)

    def _name(self, key: TryKey) -> str:
        return container_name(key, self._place.home_id)

    def _is_dead(self, owner: str) -> bool:
        return owner != SERVER and not self._site.instance.is_alive(owner)

    async def _own(self) -> list[Found]:
        return await self._run(self._engine.list_containers, *self._labels)

    async def _own_volumes(self) -> list[Any]:
        return await self._run(self._engine.list_volumes, *self._labels)

    async def _take_over(self, key: TryKey, container: Found) -> bool:
        ended = container.ended
        if container.state == "created":
            try:
                ended = await self._run(self._engine.start, container.name)
            except EngineUnreachable as error:
                logger.warning("container '%s' cannot be started: %s", container.name, error)
                return False
        live = self._live[container.name] = _Live(key, container.name)
        self.figures.adopted += 1
        self._look_after(live, ended)
        return True

    def _look_after(self, live: _Live, ended: bool) -> None:
        live.started = True
        live.settled.set()
        self.figures.running += 1
        if ended:
            self._spawn(self._read_out(live))

    async def _remove_all(self, names: Iterable[str]) -> None:
        for name in names:
            self._strays.setdefault(name, time.monotonic())
        removals = [self._run(self._engine.remove, name) for name in names]
        await asyncio.gather(*removals, return_exceptions=True)

    async def _remove_volumes(self) -> None:
        for name in list(self._ended_volumes):
            with suppress(EngineUnreachable):
                if await self._run(self._engine.remove_volume, name):
                    self._ended_volumes.discard(name)

    async def _remove_strays(self, there: Iterable[str]) -> None:
        """Remove what nobody here knows, such as what was given up while the engine was away."""
        now = time.monotonic()
        strays = {name: self._strays.get(name, now) for name in there if name not in self._live}
        old = [name for name, since in strays.items() if now - since >= STRAY_SECONDS]
        self._strays = strays
        if old:
            logger.warning("removing containers that nobody waits for: %s", ", ".join(old))
            await self._remove_all(old)

    async def _patiently(self, look: Callable[[], Awaitable[T]]) -> T:
        attempt = 0
        while True:
            try:
                return await look()
            except EngineUnreachable as error:
                if attempt == 0:
                    logger.warning("the Docker engine does not answer, trying again: %s", error)
            await asyncio.sleep(_pause(attempt))
            attempt += 1

    async def _signal(self, live: _Live, signal: str) -> None:
        try:
            await self._run(self._engine.kill, live.name, signal)
        except EngineUnreachable as error:
            logger.warning("container '%s' cannot be sent %s: %s", live.name, signal, error)

    async def _listen(self, ready: asyncio.Event) -> None:
        loop, attempt, told = asyncio.get_running_loop(), 0, False

        def on_event(name: str, action: str) -> None:
            loop.call_soon_threadsafe(partial(self._take_event, name, action))

        while True:
            # The thread of a stream is busy for as long as it lasts: not one of the pool.
            opened = asyncio.Event()
            announce = partial(loop.call_soon_threadsafe, opened.set)
            stream: asyncio.Future[Any] = in_thread(
                self._engine.listen, self._labels, announce, on_event
            )
            waiting: asyncio.Future[Any] = asyncio.create_task(opened.wait())
            try:
                await asyncio.wait([stream, waiting], return_when=asyncio.FIRST_COMPLETED)
                ready.set()
                if opened.is_set():
                    attempt, told = 0, False
                    self._spawn(self._reconcile())
                await stream
            except EngineUnreachable as error:
                if not told:
                    logger.warning("the Docker engine does not answer, trying again: %s", error)
                told = True
            finally:
                waiting.cancel()
            await asyncio.sleep(_pause(attempt))
            attempt += 1

    def _take_event(self, name: str, action: str) -> None:
        live = self._live.get(name)
        if live is None:
            return
        if action == "oom":
            live.oom_seen = True
        else:
            self._spawn(self._read_out(live))

    async def _list_regularly(self) -> None:
        idle = 0
        while True:
            await asyncio.sleep(LIST_SECONDS)
            idle = 0 if self._live or self._ended_volumes or self._strays else idle + 1
            if idle % IDLE_ROUNDS == 0:
                await self._reconcile()

    async def _reconcile(self) -> None:
        asked_for = [live for live in self._live.values() if live.started]
        try:
            there = {container.name: container for container in await self._own()}
        except EngineUnreachable as error:
            self._note_unreachable(str(error))
            return
        self._unreachable_since = None
        for live in asked_for:
            if live.name not in there or there[live.name].ended:
                self._spawn(self._read_out(live))
        if self._knows_all:
            await self._remove_strays(there)
        await self._remove_volumes()

    def _note_unreachable(self, reason: str) -> None:
        now, grace = time.monotonic(), self._site.limits.engine_grace_seconds
        self._unreachable_since = self._unreachable_since or now
        if now - self._unreachable_since < grace:
            return
        for live in [live for live in self._live.values() if live.started]:
            text = (
                "the Docker engine has been away for longer than engine_grace_seconds = "
                f"{grace:g}: {reason}"
            )
            self._tell(live, Ended(live.key, Exit(None, reason=text)))

    async def _read_out(self, live: _Live) -> None:
        await live.settled.wait()
        if not live.started or live.reading or live.gone.is_set():
            return
        live.reading = True
        try:
            end = await self._run(self._engine.read_end, live.name)
        except EngineUnreachable:
            return
        finally:
            live.reading = False
        if end is None:
            exit = Exit(None, reason="the container was removed from outside while it ran")
            self._tell(live, Ended(live.key, exit))
        else:
            exit = Exit(end.exit_code, end.oom_killed or live.oom_seen, end.error)
            self._tell(live, Ended(live.key, exit, end.started_at, end.ended_at))

    def _tell(self, live: _Live, ended: Ended) -> None:
        if not live.gone.is_set():
            live.gone.set()
            self.figures.running -= 1
            self._ended.put_nowait(ended)

    async def _run(self, call: Callable[..., T], *args: Any) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, call, *args)
        except EngineUnreachable:
            self.figures.engine_errors += 1
            raise

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def docker_executor(
    address: Address | None = None, *, patient: bool = False
) -> Callable[[Site], Awaitable[DockerExecutor]]:
    """Give the factory of an executor on the engine that DOCKER_HOST names.

    ``address`` is where containers reach this process; None: a mounted socket on a local engine,
    loopback behind Docker Desktop. Raises ExecutorUnusable; with ``patient`` the factory waits
    for an engine that does not answer, and logs that it does.
    """

    async def make(site: Site) -> DockerExecutor:
        engine = await _open_engine(patient)
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


async def _open_engine(patient: bool) -> Engine:
    attempt = 0
    while True:
        try:
            return await in_thread(open_engine)
        except ExecutorUnusable as error:
            if not patient:
                raise
            if attempt == 0:
                logger.warning("no task can start yet, waiting for the engine: %s", error)
        await asyncio.sleep(_pause(attempt))
        attempt += 1


async def _happens(event: asyncio.Event, seconds: float) -> bool:
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
    return event.is_set()


def _pause(attempt: int) -> float:
    return RECONNECT_SECONDS[min(attempt, len(RECONNECT_SECONDS) - 1)]
