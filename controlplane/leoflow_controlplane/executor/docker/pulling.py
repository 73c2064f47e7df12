"""Pulls images within a limit: one pull for all tries that wait for the same image."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from leoflow_controlplane.error import LaunchFailed
from leoflow_controlplane.executor.docker.engine import Engine
from leoflow_controlplane.executor.docker.enginepull import is_pullable
from leoflow_controlplane.executor.docker.thread import in_thread
from leoflow_controlplane.executor.protocol import Figures

PAUSES_SECONDS = (1.0, 2.0, 5.0, 10.0, 30.0)

Say = Callable[[str], None]

logger = logging.getLogger("leoflow.executor.docker")


class _Pull:
    def __init__(self) -> None:
        self.listeners: list[Say] = []
        self.stream: list[Any] = []
        self.task: asyncio.Task[None] | None = None

    def say(self, text: str) -> None:
        logger.info("%s", text)
        for listener in self.listeners:
            listener(text)


class Pulls:
    """The pulls that are under way on one engine. ``timeout_seconds`` is for each, tries again
    included."""

    def __init__(self, engine: Engine, timeout_seconds: float, figures: Figures) -> None:
        self._engine = engine
        self._timeout_seconds = timeout_seconds
        self._figures = figures
        self._pulls: dict[str, _Pull] = {}

    async def pull(self, image: str, say: Say) -> None:
        """Wait until ``image`` is on the engine. Raises LaunchFailed: transient
        is what was tried again until the limit."""
        if not is_pullable(image):
            raise LaunchFailed(
                f"image '{image}' is not on this Docker engine, and its name says no registry to "
                "pull it from. Build it with 'leoflow build', with DOCKER_HOST naming the same "
                "engine, or name it with its registry (HOST/NAME:TAG).",
                transient=False,
            )
        pull = self._pulls.get(image)
        if pull is None:
            pull = self._pulls[image] = _Pull()
            pull.task = asyncio.create_task(self._run(image, pull))
        assert pull.task is not None
        pull.listeners.append(say)
        try:
            await asyncio.shield(pull.task)
        finally:
            pull.listeners.remove(say)
            if not pull.listeners and not pull.task.done():
                self._give_up(image, pull)

    async def close(self) -> None:
        """Break all pulls off."""
        tasks = [pull.task for pull in self._pulls.values() if pull.task is not None]
        for image, pull in list(self._pulls.items()):
            self._give_up(image, pull)
        await asyncio.gather(*tasks, return_exceptions=True)

    def _give_up(self, image: str, pull: _Pull) -> None:
        self._pulls.pop(image, None)
        if pull.task is not None:
            pull.task.cancel()

    async def _run(self, image: str, pull: _Pull) -> None:
        began = time.monotonic()
        self._figures.pulls += 1
        try:
            pull.say(f"pulling image '{image}'")
            await self._try_for_long(image, pull, began + self._timeout_seconds)
            pull.say(f"pulled image '{image}' in {time.monotonic() - began:.1f} s")
        except LaunchFailed:
            self._figures.pull_failures += 1
            raise
        finally:
            self._figures.pull_seconds += time.monotonic() - began
            if self._pulls.get(image) is pull:
                del self._pulls[image]

    async def _try_for_long(self, image: str, pull: _Pull, deadline: float) -> None:
        attempt = 0
        while True:
            try:
                await self._try_once(image, pull, deadline)
                return
            except LaunchFailed as error:
                pause = PAUSES_SECONDS[min(attempt, len(PAUSES_SECONDS) - 1)]
                if not error.transient:
                    raise
                if time.monotonic() + pause >= deadline:
                    raise LaunchFailed(
                        f"image '{image}' was not pulled within pull_timeout_seconds = "
                        f"{self._timeout_seconds:g}: {error.reason}",
                        transient=True,
                    ) from error
                pull.say(f"{error.reason}; trying again in {pause:g} s")
            await asyncio.sleep(pause)
            attempt += 1

    async def _try_once(self, image: str, pull: _Pull, deadline: float) -> None:
        loop, seconds = asyncio.get_running_loop(), deadline - time.monotonic()

        def report(text: str) -> None:
            loop.call_soon_threadsafe(pull.say, text)

        stream: list[Any] = []
        work = in_thread(self._engine.pull, image, seconds, report, stream)
        try:
            async with asyncio.timeout(seconds):
                await asyncio.shield(work)
        except TimeoutError:
            raise LaunchFailed(f"image '{image}' is still being pulled", transient=True) from None
        finally:
            if not work.done():
                # The engine ends a pull that nobody reads.
                for lines in stream:
                    with suppress(Exception):
                        lines.close()
