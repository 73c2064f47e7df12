"""Calls of a Docker engine from the event loop: in a few threads, counted, and tried for long where
that is wanted.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from leoflow_controlplane.executor.docker.engine import Engine, Found, Volume
from leoflow_controlplane.executor.docker.fault import EngineUnreachable
from leoflow_controlplane.executor.protocol import Figures

T = TypeVar("T")

THREADS = 8
PAUSES_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)

logger = logging.getLogger("leoflow.executor.docker")


class EngineCalls:
    """One engine. ``labels`` are what everything has that is ours."""

    def __init__(self, engine: Engine, labels: tuple[str, ...], figures: Figures) -> None:
        self.engine = engine
        self.labels = labels
        self.figures = figures
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="leoflow-engine")

    async def run(self, call: Callable[..., T], *args: Any) -> T:
        """Make a call of the engine; raises as it does."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, call, *args)
        except EngineUnreachable:
            self.figures.engine_errors += 1
            raise

    async def containers(self) -> list[Found]:
        """List the containers that are ours."""
        return await self.run(self.engine.list_containers, *self.labels)

    async def volumes(self) -> list[Volume]:
        """List the volumes that are ours."""
        return await self.run(self.engine.list_volumes, *self.labels)

    async def patiently(self, look: Callable[[], Awaitable[T]]) -> T:
        """Look until the engine answers."""
        attempt = 0
        while True:
            try:
                return await look()
            except EngineUnreachable as error:
                if attempt == 0:
                    logger.warning("the Docker engine does not answer, trying again: %s", error)
            await asyncio.sleep(pause(attempt))
            attempt += 1

    def close(self) -> None:
        """Close all connections; calls under way end by themselves."""
        self._pool.shutdown(wait=False)
        self.engine.close()


def pause(attempt: int) -> float:
    """Give the seconds to wait after the attempt of a number, from 0."""
    return PAUSES_SECONDS[min(attempt, len(PAUSES_SECONDS) - 1)]
