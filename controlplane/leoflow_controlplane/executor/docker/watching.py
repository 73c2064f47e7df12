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
EVENTS, LIST = "events", "list"
TROUBLE = "the Docker engine does not answer"

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
    unread_since: float | None = None


class Watch:
    """The containers in ``live``, by name; `next_end` gives the end of each, once."""

    def __init__(self, calls: EngineCalls, tidying: Tidying, grace_seconds: float) -> None:
        self.live: dict[str, Live] = {}
        self._ended: asyncio.Queue[Ended | BaseException] = asyncio.Queue()
        self._calls = calls
        self._tidying = tidying
        self._grace_seconds = grace_seconds
        self._tasks: set[asyncio.Task[Any]] = set()
        self._unreachable_since: float | None = None
        # What the engine does not do at the moment: tell its events, list.
        self._away: set[str] = set()

    async def open(self) -> None:
        """Begin to listen for containers that end."""
        ready = asyncio.Event()
        self._spawn(self._listen(ready))
        self._spawn(self._list_regularly())
        await ready.wait()

    @property
    def trouble(self) -> str | None:
        """Say that the engine is away."""
        # Where the engine is, is the log's to say.
        return TROUBLE if self._away else None

    async def next_end(self) -> Ended:
        """Wait for the next end; raises what keeps containers from being looked after, which would
        be a mistake of leoflow's."""
        told = await self._ended.get()
        if isinstance(told, BaseException):
            raise told
        return told

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
        loop, attempt = asyncio.get_running_loop(), 0
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
                    self._away.discard(EVENTS)
                    attempt = 0
                    self._spawn(self._reconcile())
                await stream
            except EngineUnreachable as error:
                self._calls.figures.engine_errors += 1
                self._note_away(EVENTS, error)
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
            self._note_away(LIST, error)
            self._give_up_all(str(error))
            return
        self._away.discard(LIST)
        if self._unreachable_since is not None:
            self._unreachable_since = None
            for live in asked_for:
                live.unread_since = None
        for live in asked_for:
            if live.name not in there or there[live.name].ended:
                self._spawn(self._read_out(live))
        await self._tidying.look(there, self.live)

    def _note_away(self, what: str, error: EngineUnreachable) -> None:
        if not self._away:
            logger.warning("%s, trying again: %s", TROUBLE, error)
        self._away.add(what)

    def _give_up_all(self, reason: str) -> None:
        """Give up all containers once the engine has not told for long what there is."""
        now = time.monotonic()
        self._unreachable_since = self._unreachable_since or now
        if now - self._unreachable_since < self._grace_seconds:
            return
        text = f"the Docker engine has been away for longer than {self._grace}: {reason}"
        for live in [live for live in self.live.values() if live.started]:
            self._tell_loss(live, text)

    def _note_unread(self, live: Live, reason: str) -> None:
        """Give up a container whose end an engine that answers cannot tell for long."""
        now = time.monotonic()
        if live.unread_since is None:
            live.unread_since = now
            logger.warning(
                "the end of container '%s' cannot be read, trying again: %s", live.name, reason
            )
        if now - live.unread_since >= self._grace_seconds:
            text = f"how its container ended cannot be read for longer than {self._grace}: {reason}"
            self._tell_loss(live, text)

    async def _read_out(self, live: Live) -> None:
        await live.settled.wait()
        if not live.started or live.reading or live.gone.is_set():
            return
        live.reading = True
        try:
            end = await self._calls.run(self._calls.engine.read_end, live.name)
        except EngineUnreachable as error:
            self._note_unread(live, str(error))
            return
        finally:
            live.reading = False
        if end is None:
            self._tell_loss(live, "the container was removed from outside while it ran")
        else:
            exit = judge_code(end.exit_code, end.oom_killed or live.oom_seen, end.error)
            self._tell(live, Ended(live.key, exit, end.started_at, end.ended_at))

    @property
    def _grace(self) -> str:
        return f"engine_grace_seconds = {self._grace_seconds:g}"

    def _tell_loss(self, live: Live, reason: str) -> None:
        self._tell(live, Ended(live.key, Exit(None, reason=reason, machinery=True)))

    def _tell(self, live: Live, ended: Ended) -> None:
        if not live.gone.is_set():
            live.gone.set()
            self._calls.figures.running -= 1
            self._ended.put_nowait(ended)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            # Who waits for ends has to know that some may not come any more.
            self._ended.put_nowait(error)
