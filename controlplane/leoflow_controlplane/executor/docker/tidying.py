"""Removes from an engine what nobody waits for any more, as soon as that can be done."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Container, Iterable
from contextlib import suppress

from leoflow_controlplane.executor.docker.calls import EngineCalls
from leoflow_controlplane.executor.docker.fault import EngineUnreachable

# A container that is seen for so long and is nobody's goes. What was just given up, or what a
# dead process had asked for, may still be coming.
STRAY_SECONDS = 30.0

logger = logging.getLogger("leoflow.executor.docker")


class Tidying:
    """What is to be removed. ``may_remove_strays``: all that is not known is nobody's."""

    def __init__(self, calls: EngineCalls, *, may_remove_strays: bool) -> None:
        self.may_remove_strays = may_remove_strays
        self._calls = calls
        self._strays: dict[str, float] = {}
        self._volumes: set[str] = set()

    @property
    def has_work(self) -> bool:
        """Whether something is left to be removed."""
        return bool(self._strays or self._volumes)

    async def remove(self, names: Iterable[str]) -> None:
        """Remove containers, now or once the engine answers."""
        await asyncio.gather(*(self._remove(name) for name in names))
        await self.remove_volumes()

    async def remove_volumes(self, names: Iterable[str] = ()) -> None:
        """Remove volumes, now or once no container has them."""
        self._volumes.update(names)
        for name in list(self._volumes):
            with suppress(EngineUnreachable):
                if await self._calls.run(self._calls.engine.remove_volume, name):
                    self._volumes.discard(name)

    async def look(self, there: Iterable[str], known: Container[str]) -> None:
        """Remove what is there, is not known, and has not been for long."""
        if self.may_remove_strays:
            now = time.monotonic()
            self._strays = {
                name: self._strays.get(name, now) for name in there if name not in known
            }
            old = [name for name, since in self._strays.items() if now - since >= STRAY_SECONDS]
            if old:
                logger.warning("removing containers that nobody waits for: %s", ", ".join(old))
            await self.remove(old)
        await self.remove_volumes()

    async def _remove(self, name: str) -> None:
        try:
            await self._calls.run(self._calls.engine.remove, name)
            self._strays.pop(name, None)
        except EngineUnreachable as error:
            logger.warning("container '%s' cannot be removed yet: %s", name, error)
            self._strays[name] = time.monotonic() - STRAY_SECONDS
