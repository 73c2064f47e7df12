"""The claims of the volumes that the tries of a run share: which there are, and their removal.

Whoever has no right on claims is asked for none until a DAG wants one.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from leoflow_controlplane.executor.cluster.calls import Calls, Object
from leoflow_controlplane.executor.cluster.fault import CallFailed, Forbidden
from leoflow_controlplane.executor.cluster.permission import FOR_STAGING, Right
from leoflow_controlplane.executor.cluster.tidying import Spawn
from leoflow_controlplane.pod.claim import is_kept

# After so long a removal that failed is tried again.
AGAIN_SECONDS = 5.0

logger = logging.getLogger("leoflow.executor.kubernetes")


class Claims:
    """The claims of one namespace. ``spawn`` runs what goes on by itself."""

    def __init__(self, calls: Calls, spawn: Spawn) -> None:
        self._calls = calls
        self._spawn = spawn
        # Those that are there or may be, and whether each outlives its run.
        self._kept: dict[str, bool] = {}
        self._there: set[str] = set()
        # How many creations of each are under way, and which are to go as soon as that can be.
        self._coming: Counter[str] = Counter()
        self._over: set[str] = set()
        self._may_stage = False

    def knows(self, name: str) -> bool:
        """Say whether a claim is known to be there."""
        return name in self._there

    @contextmanager
    def coming(self, metadata: Object) -> Iterator[None]:
        """Take in that a claim is being created, and may be there whatever is answered. If its run
        ends meanwhile it is removed in the end."""
        name = metadata["name"]
        self._kept[name] = is_kept(metadata)
        # A run that was over may go on.
        self._over.discard(name)
        self._coming[name] += 1
        try:
            yield
        finally:
            self._coming[name] -= 1
            if not self._coming[name]:
                del self._coming[name]
                if name in self._over:
                    self._spawn(self._remove(name))

    def note(self, metadata: Object) -> None:
        """Take in that a claim is there."""
        self._kept[metadata["name"]] = is_kept(metadata)
        self._there.add(metadata["name"])

    async def look_for(self, selector: str) -> list[Object]:
        """Give the metadata of claims; none to whom may not see them. Raises CallFailed."""
        try:
            return [one["metadata"] for one in await self._calls.list_claims(selector)]
        except Forbidden as fault:
            logger.info("volume claims cannot be looked for: %s", fault.words)
            return []

    async def end(self, name: str) -> None:
        """Remove the claim of a run that is over, if it has one, and nothing is kept on it."""
        if self._kept.get(name, True):
            self._forget(name)
        else:
            await self._remove(name)

    async def remove(self, names: Iterable[str]) -> None:
        """Remove claims, now or once the API server answers; the cluster keeps each until no Pod
        has it."""
        await asyncio.gather(*map(self._remove, names))

    async def find_missing(self) -> list[Right]:
        """Ask for the rights that claims take, and give those that are missing. Raises Away."""
        if self._may_stage:
            return []
        missing = await self._calls.find_missing(FOR_STAGING)
        self._may_stage = not missing
        return missing

    def _forget(self, name: str) -> None:
        self._kept.pop(name, None)
        self._there.discard(name)

    async def _remove(self, name: str) -> None:
        self._forget(name)
        self._over.discard(name)
        if name in self._coming:
            self._over.add(name)
            return
        try:
            await self._calls.delete_claim(name)
        except Forbidden as fault:
            logger.warning("claim '%s' is left: %s", name, fault.words)
        except CallFailed as fault:
            logger.warning("claim '%s' cannot be removed yet: %s", name, fault.words)
            self._over.add(name)
            self._spawn(self._remove_later(name))

    async def _remove_later(self, name: str) -> None:
        await asyncio.sleep(AGAIN_SECONDS)
        if name in self._over:
            await self._remove(name)
