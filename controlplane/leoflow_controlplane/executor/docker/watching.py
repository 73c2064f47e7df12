"""Looks after containers until they end, by the engine's events and by a list every few seconds."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from leoflow_controlplane.executor.docker.calls import EngineCalls, pause
from leoflow_controlplane.executor.docker.fault import EngineUnreachable
from leoflow_controlplane.executor.docker.thread import in_thread
from leoflow_controlplane.executor.docker.tidying import Tidying
from leoflow_controlplane.executor.protocol import Ended
from leoflow_controlplane.model import TryKey
from leoflow_controlplane.verdict import Exit, judge_code

LIST_SECONDS = 5.0
# So often is a list also made when there is nothing to look after.
IDLE_ROUNDS = 12

logger = logging.getLogger("leoflow.executor.docker")


@dataclass
class Live:
    """A container that is to be looked after. ``settled``: it was started, or never will be."""

    key: TryKey
    name: str
    started: bool = False
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    unwanted: asyncio.Event = field(default_factory=asyncio.Event)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    reading: bool = False
    oom_seen: bool = False


class Watch:
    """The containers in ``live``, by name; ``ended`` has the end of each, once. ``trouble`` says
    that the engine is away."""

    def __init__(self, calls: EngineCalls, tidying: Tidying, grace_seconds: float) -> None:
        self.live: dict[str, Live] = {}
        self.ended: asyncio.Queue[Ended] = asyncio.Queue()
        self._calls = calls
        self._tidying = tidying
        self._grace_seconds = grace_seconds
        self._tasks: set[asyncio.Task[Any]] = set()
        self._unreachable_since: float | None = None
        self.trouble: str | None = None

    async def open(self) -> None:
        """Begin to listen for containers that end."""
        ready = asyncio.Event()
        self._spawn(self._listen(ready))
        self._spawn(self._list_regularly())
        await ready.wait()

    def look_after(self, live: Live, *, ended: bool) -> None:
        """Wait for the end of a container that was started, and may have ended."""
        self.live[live.name] = live
        live.started = True
        live.settled.set()
        self._calls.figures.running += 1
        if ended:
            self._spawn(self._read_out(live))

    async def close(self) -> None:
        """Look no more."""
        self._calls.engine.stop_listening()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _listen(self, ready: asyncio.Event) -> None:
        loop, attempt, told = asyncio.get_running_loop(), 0, False
        engine, labels = self._calls.engine, self._calls.labels

        def on_event(name: str, action: str) -> None:
            loop.call_soon_threadsafe(partial(self._take_event, name, action))

        while True:
            opened = asyncio.Event()
            announce = partial(loop.call_soon_threadsafe, opened.set)
            stream: asyncio.Future[Any] = in_thread(engine.listen, labels, announce, on_event)
            waiting: asyncio.Future[Any] = asyncio.create_task(opened.wait())
            try:
                await asyncio.wait([stream, waiting], return_when=asyncio.FIRST_COMPLETED)
                ready.set()
                if opened.is_set():
                    self.trouble = None
                    attempt, told = 0, False
                    self._spawn(self._reconcile())
                await stream
            except EngineUnreachable as error:
                self._calls.figures.engine_errors += 1
                # Where the engine is, is the log's to say.
                self.trouble = "the Docker engine does not answer"
                if not told:
                    logger.warning("the Docker engine does not answer, trying again: %s", error)
                told = True
            finally:
                waiting.cancel()
            await asyncio.sleep(pause(attempt))
            attempt += 1

    def _take_event(self, name: str, action: str) -> None:
        live = self.live.get(name)
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
            idle = 0 if self.live or self._tidying.has_work else idle + 1
            if idle % IDLE_ROUNDS == 0:
                await self._reconcile()

    async def _reconcile(self) -> None:
        asked_for = [live for live in self.live.values() if live.started]
        try:
            there = {container.name: container for container in await self._calls.containers()}
        except EngineUnreachable as error:
            self._note_unreachable(str(error))
            return
        self._unreachable_since = None
        for live in asked_for:
            if live.name not in there or there[live.name].ended:
                self._spawn(self._read_out(live))
        await self._tidying.look(there, self.live)

    def _note_unreachable(self, reason: str) -> None:
        now = time.monotonic()
        self._unreachable_since = self._unreachable_since or now
        if now - self._unreachable_since < self._grace_seconds:
            return
        text = (
            "the Docker engine has been away for longer than engine_grace_seconds = "
            f"{self._grace_seconds:g}: {reason}"
        )
        for live in [live for live in self.live.values() if live.started]:
            self._tell(live, Ended(live.key, Exit(None, reason=text, machinery=True)))

    async def _read_out(self, live: Live) -> None:
        await live.settled.wait()
        if not live.started or live.reading or live.gone.is_set():
            return
        live.reading = True
        try:
            end = await self._calls.run(self._calls.engine.read_end, live.name)
        except EngineUnreachable:
            return
        finally:
            live.reading = False
        if end is None:
            reason = "the container was removed from outside while it ran"
            exit = Exit(None, reason=reason, machinery=True)
            self._tell(live, Ended(live.key, exit))
        else:
            exit = judge_code(end.exit_code, end.oom_killed or live.oom_seen, end.error)
            self._tell(live, Ended(live.key, exit, end.started_at, end.ended_at))

    def _tell(self, live: Live, ended: Ended) -> None:
        if not live.gone.is_set():
            live.gone.set()
            self._calls.figures.running -= 1
            self.ended.put_nowait(ended)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
