"""Removes Pods that nobody waits for any more, each when its time has come."""

from __future__ import annotations

import asyncio
import heapq
import logging
import time
from collections.abc import Callable, Container, Coroutine, Mapping
from typing import Any, NamedTuple

from leoflow_controlplane.executor.cluster.calls import Calls
from leoflow_controlplane.executor.cluster.fault import CallFailed, Moved
from leoflow_controlplane.executor.cluster.pace import Pace

# A Pod that is seen for so long and is nobody's goes. What was just given up, or what a dead
# process had asked for, may still be coming.
STRAY_SECONDS = 30.0
# After so long a removal that failed is tried again, twice as long each time up to the longest.
AGAIN_SECONDS = 5.0
LONGEST_SECONDS = 60.0
CALLS_AT_ONCE = 16
BATCH_SIZE = 256
HELD = "Pod '%s' is deleted, and stays until %s is done with it"
# The least that is not 0, which means to forget a Pod whose containers may go on.
AT_ONCE = 1

Spawn = Callable[[Coroutine[Any, Any, None]], object]

logger = logging.getLogger("leoflow.executor.kubernetes")


class Seen(NamedTuple):
    """Which Pod has a name, and whether it is being deleted. ``held_by``: the finalizers that are
    all that keeps it."""

    uid: str
    deleting: bool
    held_by: tuple[str, ...] = ()


class Tidying:
    """What is to be removed. ``may_remove_strays``: all that is not known is nobody's."""

    def __init__(self, calls: Calls, rate: float, *, may_remove_strays: bool) -> None:
        self.may_remove_strays = may_remove_strays
        self._calls = calls
        self._pace = Pace(rate)
        # When each Pod goes, which one of its name if that is known, and which are not only to be
        # asked to.
        self._due: dict[str, float] = {}
        self._uids: dict[str, str] = {}
        self._order: list[tuple[float, str]] = []
        self._forced: set[str] = set()
        self._leaving: set[str] = set()
        self._failures: dict[str, int] = {}
        self._strays: dict[str, float] = {}
        self._held: set[str] = set()
        self._wake = asyncio.Event()

    def open(self, spawn: Spawn) -> None:
        """Begin to remove, for as long as what is spawned is let run."""
        spawn(self._work())

    def remove_later(self, name: str, uid: str, seconds: float) -> None:
        """Remove a Pod after a time; at once if that is 0."""
        self._uids[name] = uid
        self._put(name, time.monotonic() + max(0.0, seconds))

    def remove_now(self, name: str, uid: str = "", *, forced: bool = False) -> None:
        """Remove a Pod, now or once the API server answers: that of ``uid``, or whichever has its
        name. ``forced``: also if its node does not answer."""
        if forced:
            self._forced.add(name)
        self._uids[name] = uid
        self._put(name, time.monotonic())

    def is_leaving(self, name: str) -> bool:
        """Say whether a Pod was asked to go and is not known to be gone."""
        return name in self._leaving or name in self._due

    def forget(self, name: str) -> None:
        """Take in that a Pod is gone."""
        for names in (self._leaving, self._forced):
            names.discard(name)
        for kept in (self._due, self._uids, self._failures, self._strays):
            kept.pop(name, None)

    def look(self, there: Mapping[str, Seen], known: Container[str]) -> None:
        """Take in which Pods are there; remove what is nobody's and has been there for long."""
        now = time.monotonic()
        for name in self._leaving - there.keys():
            self.forget(name)
        if not self.may_remove_strays:
            return
        self._strays = {
            name: self._strays.get(name, now)
            for name in there
            if name not in known and name not in self._due
        }
        self._tell_held({name: one for name, one in there.items() if name not in known})
        old = [
            name
            for name, since in self._strays.items()
            if now - since >= STRAY_SECONDS and name not in self._held
        ]
        if old:
            logger.warning("removing Pods that nobody waits for: %s", ", ".join(old))
        for name in old:
            self.remove_now(name, there[name].uid, forced=there[name].deleting)

    def _tell_held(self, there: Mapping[str, Seen]) -> None:
        """Tell once of each Pod that cannot go: there is nothing more to ask for."""
        held = {name: ", ".join(seen.held_by) for name, seen in there.items() if seen.held_by}
        for name in held.keys() - self._held:
            logger.warning(HELD, name, held[name])
        self._held = set(held)

    def _put(self, name: str, due: float) -> None:
        self._due[name] = due
        heapq.heappush(self._order, (due, name))
        self._wake.set()

    async def _work(self) -> None:
        while True:
            self._wake.clear()
            names = self._take_due()
            if names:
                turns = asyncio.Semaphore(CALLS_AT_ONCE)
                await asyncio.gather(*(self._remove(name, turns) for name in names))
                continue
            await self._sleep()

    def _take_due(self) -> list[str]:
        now = time.monotonic()
        names: list[str] = []
        while self._order and self._order[0][0] <= now and len(names) < BATCH_SIZE:
            due, name = heapq.heappop(self._order)
            # It may have been put off, or be gone.
            if self._due.get(name) == due:
                names.append(name)
        return names

    async def _sleep(self) -> None:
        seconds = self._order[0][0] - time.monotonic() if self._order else None
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _remove(self, name: str, turns: asyncio.Semaphore) -> None:
        async with turns:
            await asyncio.sleep(self._pace.take_turn())
            grace = 0 if name in self._forced else AT_ONCE
            try:
                await self._calls.delete_pod(name, grace, uid=self._uids.get(name, ""))
            except Moved:
                # Another Pod has its name by now.
                self.forget(name)
                return
            except CallFailed as fault:
                self._put_off(name, fault)
                return
        self._failures.pop(name, None)
        self._strays.pop(name, None)
        # The watch may have told that it is gone before the call was answered.
        if self._due.pop(name, None) is not None:
            self._leaving.add(name)

    def _put_off(self, name: str, fault: CallFailed) -> None:
        failures = self._failures.get(name, 0)
        if not failures:
            logger.warning("Pod '%s' cannot be removed yet: %s", name, fault.words)
        self._failures[name] = failures + 1
        self._put(name, time.monotonic() + wait_after(failures))


def wait_after(failures: int) -> float:
    """Give the seconds to wait after a removal that failed, and had failed so often before."""
    return min(LONGEST_SECONDS, AGAIN_SECONDS * 2.0 ** min(failures, 9))
