"""Creates and starts containers, and has missing images pulled, each within its limit."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from leoflow_controlplane.error import LaunchFailed
from leoflow_controlplane.executor.docker.engine import Begun, Engine
from leoflow_controlplane.executor.docker.fault import EngineUnreachable, ImageMissing, NoAnswer
from leoflow_controlplane.executor.docker.pulling import Pulls
from leoflow_controlplane.executor.docker.thread import in_thread
from leoflow_controlplane.executor.protocol import Figures, Limits
from leoflow_controlplane.launch import Launch

PAUSES_SECONDS = (0.5, 1.0, 2.0, 4.0, 5.0)
# An engine that says no this often means it. One that says nothing may be starting.
MAX_REFUSALS = 4
# More at once make an engine no faster.
STARTS_AT_ONCE = 8
# An image that is gone again as soon as it was pulled.
MAX_PULLS = 3
STOPPED = "it was stopped before its container ran"

logger = logging.getLogger("leoflow.executor.docker")


class _Clock:
    """When a start has to be done. Neither waiting for others nor a pull takes from its time."""

    def __init__(self, seconds: float) -> None:
        self.deadline = time.monotonic() + seconds

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let the time that passes not count."""
        began = time.monotonic()
        yield
        self.deadline += time.monotonic() - began


class _TooLate(LaunchFailed):
    """The time that a start may take is over."""


class Starter:
    """Starts containers on one engine. ``under_way``: calls that go on whoever waits for them."""

    def __init__(self, engine: Engine, pulls: Pulls, limits: Limits, figures: Figures) -> None:
        self.under_way: set[asyncio.Future[Any]] = set()
        self._engine = engine
        self._pulls = pulls
        self._figures = figures
        self._limit_seconds = limits.start_timeout_seconds
        self._turns = asyncio.Semaphore(STARTS_AT_ONCE)

    async def start(
        self, launch: Launch, name: str, body: Mapping[str, Any], unwanted: asyncio.Event
    ) -> Begun:
        """Bring a container up. Raises LaunchFailed, also once ``unwanted`` is set and the
        container does not run yet; what is transient was tried again for as long as limits allow.
        """
        clock, pulls, attempt, refusals = _Clock(self._limit_seconds), 0, 0, 0
        while True:
            try:
                return await self._take_turn(name, body, clock, unwanted)
            except ImageMissing as error:
                if pulls == MAX_PULLS:
                    reason = f"{error.reason}: it is removed again and again"
                    raise LaunchFailed(reason, transient=False) from error
                pulls += 1
                with clock.held():
                    await _unless(unwanted, self._pulls.pull(launch.image, launch.say))
            except _TooLate:
                raise
            except LaunchFailed as error:
                refusals += not isinstance(error, NoAnswer)
                self._figures.engine_errors += isinstance(error, NoAnswer)
                pause = PAUSES_SECONDS[min(attempt, len(PAUSES_SECONDS) - 1)]
                self._check(error, refusals, clock.deadline - pause)
                launch.say(f"{error.reason}; trying again in {pause:g} s")
                logger.warning("container '%s' is not started yet: %s", name, error.reason)
                attempt += 1
                await _unless(unwanted, asyncio.sleep(pause))

    def _check(self, error: LaunchFailed, refusals: int, latest: float) -> None:
        """Raise what is not tried again here."""
        if not error.transient:
            raise error
        if refusals >= MAX_REFUSALS:
            raise error
        if time.monotonic() >= latest:
            raise self._too_late(error.reason) from error

    def _too_late(self, reason: str) -> _TooLate:
        return _TooLate(
            "its container did not run within start_timeout_seconds = "
            f"{self._limit_seconds:g}: {reason}",
            transient=True,
        )

    async def _take_turn(
        self, name: str, body: Mapping[str, Any], clock: _Clock, unwanted: asyncio.Event
    ) -> Begun:
        with clock.held():
            await _unless(unwanted, self._turns.acquire())
        try:
            return await self._try_once(name, body, clock.deadline)
        finally:
            self._turns.release()

    async def _try_once(self, name: str, body: Mapping[str, Any], deadline: float) -> Begun:
        # The call goes on in its thread when we are cancelled, so its end is waited for.
        call = in_thread(self._engine.create_and_start, name, body)
        self._keep(call)
        try:
            seconds = max(0.0, deadline - time.monotonic())
            async with asyncio.timeout(seconds):
                return await asyncio.shield(call)
        except TimeoutError:
            self._keep(asyncio.ensure_future(self._abandon(name, call)))
            raise self._too_late("the Docker engine was asked and has not done it") from None

    async def _abandon(self, name: str, call: asyncio.Future[Begun]) -> None:
        with suppress(LaunchFailed):
            await call
        with suppress(EngineUnreachable):
            await in_thread(self._engine.remove, name)

    def _keep(self, work: asyncio.Future[Any]) -> None:
        self.under_way.add(work)
        work.add_done_callback(self.under_way.discard)


async def _unless(unwanted: asyncio.Event, work: Any) -> None:
    """Do ``work`` until ``unwanted`` is set, and raise LaunchFailed then."""
    doing: asyncio.Future[Any] = asyncio.ensure_future(work)
    waiting: asyncio.Future[Any] = asyncio.ensure_future(unwanted.wait())
    try:
        await asyncio.wait({doing, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if not doing.done():
            raise LaunchFailed(STOPPED, transient=False)
        doing.result()
    finally:
        waiting.cancel()
        doing.cancel()
