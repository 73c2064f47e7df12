"""Run tries as containers of a Docker engine. Decides nothing; ``container`` says what they are.

Blocking calls of the engine's client run in threads. That a container ended is told by the
engine's events, and by a list every few seconds in case that an event was lost.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
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
)
from leoflow_controlplane.error import LaunchFailed
from leoflow_controlplane.executor.engine import Engine, EngineUnreachable, open_engine
from leoflow_controlplane.executor.protocol import Ended, Launch, Site
from leoflow_controlplane.executor.reach import Address, reach
from leoflow_controlplane.instance import Instance
from leoflow_controlplane.model import TryKey
from leoflow_controlplane.verdict import Exit

T = TypeVar("T")

LIST_SECONDS = 5.0
UNREACHABLE_SECONDS = 60.0
RECONNECT_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)
TAIL_LINES = 50

logger = logging.getLogger("leoflow.executor.docker")


@dataclass
class _Live:
    key: TryKey
    name: str
    started: asyncio.Event = field(default_factory=asyncio.Event)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    reading: bool = False
    oom_seen: bool = False


class DockerExecutor:
    """One container for each try. Make it with `docker_executor`."""

    def __init__(
        self,
        engine: Engine,
        site: ContainerSite,
        instance: Instance,
        endpoint: str,
        ca: str | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.ca = ca
        self._engine = engine
        self._site = site
        self._instance = instance
        self._pool = ThreadPoolExecutor(max_workers=8, thread_name_prefix="leoflow-engine")
        self._live: dict[str, _Live] = {}
        self._ended: asyncio.Queue[Ended] = asyncio.Queue()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._starting: set[asyncio.Task[float]] = set()
        self._unreachable_since: float | None = None

    async def open(self) -> None:
        """Begin to listen for containers that end."""
        ready = asyncio.Event()
        self._spawn(self._listen(ready))
        self._spawn(self._list_regularly())
        await ready.wait()

    async def start(self, launch: Launch) -> dict[str, float]:
        """Create and start the container of a try."""
        body = make_container(launch, self._site)
        live = _Live(launch.key, container_name(launch.key, self._site.home_id))
        self._live[live.name] = live
        # The call goes on in its thread when we are cancelled, so its end is waited for.
        starting = asyncio.create_task(self._run(self._engine.create_and_start, live.name, body))
        self._starting.add(starting)
        starting.add_done_callback(self._starting.discard)
        try:
            created_at = await asyncio.shield(starting)
        except LaunchFailed:
            self._live.pop(live.name, None)
            raise
        live.started.set()
        return {"created": created_at}

    async def stop(self, key: TryKey, grace_seconds: float) -> None:
        """Send SIGTERM, and SIGKILL after the grace."""
        live = self._live.get(container_name(key, self._site.home_id))
        if live is None:
            return
        await live.started.wait()
        if grace_seconds > 0:
            await self._signal(live, "SIGTERM")
            try:
                await asyncio.wait_for(live.gone.wait(), grace_seconds)
            except TimeoutError:
                pass
            else:
                return
        await self._signal(live, "SIGKILL")

    async def ended(self) -> Ended:
        """Wait for the next container that ended; it is read out and not yet removed."""
        return await self._ended.get()

    async def log_tail(self, key: TryKey) -> str | None:
        """Give the last lines that the container wrote."""
        name = container_name(key, self._site.home_id)
        try:
            return await self._run(self._engine.tail, name, TAIL_LINES)
        except EngineUnreachable:
            return None

    async def left_verdict(self, key: TryKey) -> bytes | None:
        """Read the verdict that the agent left in a container which ended."""
        name = container_name(key, self._site.home_id)
        try:
            return await self._run(self._engine.read_file, name, VERDICT_FILE, MAX_VERDICT_BYTES)
        except EngineUnreachable:
            return None

    async def remove(self, key: TryKey) -> None:
        """Remove the container of a try, even if it runs."""
        name = container_name(key, self._site.home_id)
        try:
            await self._run(self._engine.remove, name)
        except EngineUnreachable as error:
            logger.warning("container '%s' is left for the next sweep: %s", name, error)
        self._live.pop(name, None)

    async def sweep(self) -> list[str]:
        """Remove the containers of dead processes of this home."""
        found = await self._run(self._engine.list, f"{LABEL_HOME}={self._site.home_id}")
        dead = [c.name for c in found if not self._instance.is_alive(c.labels[LABEL_INSTANCE])]
        await asyncio.gather(*(self._run(self._engine.remove, name) for name in dead))
        return [f"container {name}" for name in dead]

    async def close(self) -> None:
        """Remove every container that was started here, also one whose start is under way."""
        self._engine.stop_listening()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, *self._starting, return_exceptions=True)
        try:
            names = set(self._live) | {c.name for c in await self._own()}
            await asyncio.gather(*(self._run(self._engine.remove, name) for name in names))
        except EngineUnreachable as error:
            logger.warning("containers are left for the next sweep: %s", error)
        self._pool.shutdown(wait=False)
        self._engine.close()

    async def _own(self) -> list[Any]:
        label = f"{LABEL_INSTANCE}={self._site.instance_id}"
        return await self._run(self._engine.list, label)

    async def _signal(self, live: _Live, signal: str) -> None:
        try:
            await self._run(self._engine.kill, live.name, signal)
        except EngineUnreachable as error:
            logger.warning("container '%s' cannot be sent %s: %s", live.name, signal, error)

    async def _listen(self, ready: asyncio.Event) -> None:
        loop, attempt, told = asyncio.get_running_loop(), 0, False
        label = f"{LABEL_INSTANCE}={self._site.instance_id}"

        def on_event(name: str, action: str) -> None:
            loop.call_soon_threadsafe(partial(self._take_event, name, action))

        while True:
            # The thread of a stream is busy for as long as it lasts: not one of the pool.
            opened = asyncio.Event()
            announce = partial(loop.call_soon_threadsafe, opened.set)
            stream = asyncio.create_task(
                asyncio.to_thread(self._engine.listen, label, announce, on_event)
            )
            waiting = asyncio.create_task(opened.wait())
            try:
                await asyncio.wait({stream, waiting}, return_when=asyncio.FIRST_COMPLETED)
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
            await asyncio.sleep(RECONNECT_SECONDS[min(attempt, len(RECONNECT_SECONDS) - 1)])
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
        while True:
            await asyncio.sleep(LIST_SECONDS)
            if self._live:
                await self._reconcile()

    async def _reconcile(self) -> None:
        asked_for = [live for live in self._live.values() if live.started.is_set()]
        try:
            there = {container.name: container for container in await self._own()}
        except EngineUnreachable as error:
            self._note_unreachable(str(error))
            return
        self._unreachable_since = None
        for live in asked_for:
            if live.name not in there or there[live.name].ended:
                self._spawn(self._read_out(live))

    def _note_unreachable(self, reason: str) -> None:
        now = time.monotonic()
        self._unreachable_since = self._unreachable_since or now
        if now - self._unreachable_since < UNREACHABLE_SECONDS:
            return
        for live in list(self._live.values()):
            text = f"the Docker engine has been away for {UNREACHABLE_SECONDS:g} s: {reason}"
            self._tell(live, Ended(live.key, Exit(None, reason=text)))

    async def _read_out(self, live: _Live) -> None:
        await live.started.wait()
        if live.reading or live.gone.is_set():
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
            self._ended.put_nowait(ended)

    async def _run(self, call: Callable[..., T], *args: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, call, *args)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def docker_executor(address: Address | None = None) -> Callable[[Site], Awaitable[DockerExecutor]]:
    """Give the factory of an executor on the engine that DOCKER_HOST names.

    ``address`` is where containers reach this process; None: a mounted socket on a local engine,
    loopback behind Docker Desktop. Raises ExecutorUnusable.
    """

    async def make(site: Site) -> DockerExecutor:
        engine = await asyncio.to_thread(open_engine)
        try:
            place, endpoint = await reach(engine, site, address)
            ca = None if address is None else address.ca
            executor = DockerExecutor(engine, place, site.instance, endpoint, ca)
            await executor.open()
        except BaseException:
            engine.close()
            raise
        return executor

    return make
