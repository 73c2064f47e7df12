"""What dead processes left in a cluster: their Pods are taken over, kept for a time, or removed."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection
from functools import partial
from typing import NamedTuple

from leoflow_agent import exitcode

from leoflow_controlplane.executor.cluster.calls import Calls, Object, list_pages
from leoflow_controlplane.executor.cluster.claims import Claims
from leoflow_controlplane.executor.cluster.fault import Away, CallFailed, Throttled
from leoflow_controlplane.executor.cluster.live import Live
from leoflow_controlplane.executor.cluster.pace import pause
from leoflow_controlplane.executor.cluster.tidying import AT_ONCE, CALLS_AT_ONCE, HELD, Tidying
from leoflow_controlplane.executor.cluster.viewing import find_holders, read_view
from leoflow_controlplane.executor.cluster.watching import Watch
from leoflow_controlplane.executor.protocol import FindRuns
from leoflow_controlplane.model import SERVER, RunKey, TryKey
from leoflow_controlplane.pod.claim import is_kept
from leoflow_controlplane.pod.ending import Over, judge
from leoflow_controlplane.pod.name import (
    ARTIFACTS,
    KEPT,
    OWNER,
    REALM,
    label_value,
    own_labels,
    read_run,
    read_try,
)
from leoflow_controlplane.pod.site import PodSite

# How often a call is made at the most while the API server says that it is too busy.
ATTEMPTS = 5
# So long a node has to end what is closed. One that is only slow ends it all the same later, when
# it sees that the Pod is gone.
CLOSE_SECONDS = 15.0

logger = logging.getLogger("leoflow.executor.kubernetes")


class Keep(NamedTuple):
    """For how many seconds a Pod is kept, for people, that has ended by itself."""

    finished_seconds: float
    failed_seconds: float

    def seconds(self, over: Over) -> float:
        """Give the seconds from an end on; a task that skipped itself has not failed."""
        if over.exit.code in (exitcode.SUCCESS, exitcode.SKIPPED):
            return self.finished_seconds
        return self.failed_seconds


def select_own(place: PodSite) -> str:
    """Give the selector of all that is of an owner."""
    return ",".join(f"{name}={value}" for name, value in own_labels(place).items())


class Leftovers:
    """What is in one namespace and was not created by this process, or is to go with it."""

    def __init__(
        self,
        calls: Calls,
        place: PodSite,
        watch: Watch,
        tidying: Tidying,
        claims: Claims,
        keep: Keep,
    ) -> None:
        self._calls = calls
        self._watch = watch
        self._ends = watch.ends
        self._tidying = tidying
        self._claims = claims
        self._keep = keep
        self._own = select_own(place)
        # Not of the server's; a label that is missing differs from every value.
        self._others = f"{REALM}={label_value(place.realm_id)},{OWNER}!={SERVER}"

    async def adopt(self, wanted: Collection[TryKey], runs: Collection[RunKey]) -> set[TryKey]:
        """Take over the Pods of a dead process of our owner, and remove those that are not wanted
        and the claims of all but ``runs``. Waits for an API server that is away."""
        wanted, adopted, attempt = frozenset(wanted), set[TryKey](), 0
        while True:
            try:
                async for page in list_pages(self._calls, self._own):
                    for pod in page.items:
                        self._look_at(pod, wanted, adopted)
                claims = await self._claims.look_for(self._own)
                break
            except CallFailed as fault:
                self._note(fault)
            await asyncio.sleep(pause(attempt))
            attempt += 1
        for one in claims:
            if read_run(one) in runs and not one.get("deletionTimestamp"):
                self._claims.note(one)
        stale = [one for one in claims if read_run(one) not in runs]
        await self._claims.remove(one["name"] for one in stale if not is_kept(one))
        self._tidying.may_remove_strays = True
        if adopted:
            # The watch has not told of ends that came between this list and their adoption.
            self._watch.look_soon()
        return adopted

    async def sweep(self, is_alive: Callable[[str], bool]) -> list[str]:
        """Remove the Pods and claims of the processes of our realm that are dead, but the
        server's; name them."""

        def is_dead(metadata: Object) -> bool:
            owner = metadata["labels"].get(OWNER)
            return owner not in (None, SERVER) and not is_alive(owner)

        try:
            pods = [
                pod["metadata"]
                async for page in list_pages(self._calls, self._others)
                for pod in page.items
                if is_dead(pod["metadata"])
            ]
            claims = await self._claims.look_for(self._others)
        except CallFailed as fault:
            self._note(fault)
            return []
        names = [one["name"] for one in claims if is_dead(one) and not is_kept(one)]
        for pod in pods:
            self._tidying.remove_now(pod["name"], pod["uid"])
        await self._claims.remove(names)
        return [f"Pod {pod['name']}" for pod in pods] + [f"claim {name}" for name in names]

    async def prune(self, find: FindRuns) -> None:
        """Remove the claims that outlived their runs for what is on them, once ``find`` does not
        know those any more."""
        try:
            claims = await self._claims.look_for(f"{self._own},{ARTIFACTS}={KEPT}")
        except CallFailed as fault:
            self._note(fault)
            return
        runs = {one["name"]: read_run(one) for one in claims}
        known = await find({run for run in runs.values() if run is not None})
        await self._claims.remove(
            name for name, run in runs.items() if run is not None and run not in known
        )

    async def remove_all(self) -> None:
        """Remove all that is of our owner, now, and by force what its node does not end; but no
        claim on which artifacts are."""
        calls = self._calls
        try:
            names = self._ends.live.keys() | await self._list_own()
            await _remove(names, partial(calls.delete_pod, grace_seconds=AT_ONCE))
            if deaf := await self._await_end(names):
                logger.warning("removing Pods that their nodes do not end: %s", ", ".join(deaf))
                await _remove(deaf, partial(calls.delete_pod, grace_seconds=0))
            claims = await self._claims.look_for(self._own)
            await _remove([one["name"] for one in claims if not is_kept(one)], calls.delete_claim)
        except CallFailed as fault:
            logger.warning("Pods are left for the next sweep: %s", fault.words)

    async def _list_own(self) -> dict[str, tuple[str, ...]]:
        """Name our owner's Pods, each with the finalizers that are all that keeps it."""
        own: dict[str, tuple[str, ...]] = {}
        async for page in list_pages(self._calls, self._own):
            for pod in page.items:
                view = read_view(pod)
                own[pod["metadata"]["name"]] = () if view is None else find_holders(pod, view)
        return own

    async def _await_end(self, names: Collection[str]) -> set[str]:
        """Wait until Pods are gone; give those that still are not after CLOSE_SECONDS. Who holds
        one that its node has ended is told, and not waited for."""
        until, attempt, there = time.monotonic() + CLOSE_SECONDS, 0, set(names)
        while there and time.monotonic() < until:
            own = await self._list_own()
            for name in filter(own.get, sorted(there)):
                logger.warning(HELD, name, ", ".join(own[name]))
            there = {name for name in there if own.get(name) == ()}
            if there:
                await asyncio.sleep(pause(attempt))
                attempt += 1
        return there

    def _look_at(self, pod: Object, wanted: Collection[TryKey], adopted: set[TryKey]) -> None:
        """Take over a Pod of a dead process, or have it removed."""
        name = pod["metadata"]["name"]
        if name in self._ends.live or self._tidying.is_leaving(name):
            return
        key, view = read_try(pod["metadata"]), read_view(pod)
        over = None if view is None else judge(view)
        if view is not None and key is not None and key in wanted:
            adopted.add(key)
            self._ends.adopt(Live(key, name), pod)
        elif view is not None and isinstance(over, Over):
            age = time.time() - (over.ended_at or view.created_at or 0.0)
            self._tidying.remove_later(name, view.uid, self._keep.seconds(over) - age)
        else:
            self._tidying.remove_now(name, pod["metadata"]["uid"])

    def _note(self, fault: CallFailed) -> None:
        if isinstance(fault, Away):
            self._watch.note_away(fault)
        else:
            logger.warning("Pods cannot be listed: %s", fault.words)


async def _remove(names: Collection[str], delete: Callable[[str], Awaitable[object]]) -> None:
    """Have things deleted, each whatever becomes of the others."""
    turns = asyncio.Semaphore(CALLS_AT_ONCE)

    async def remove(name: str) -> None:
        async with turns:
            try:
                await _insist(partial(delete, name))
            except CallFailed as fault:
                logger.warning("'%s' cannot be removed: %s", name, fault.words)

    await asyncio.gather(*map(remove, names))


async def _insist(work: Callable[[], Awaitable[object]]) -> object:
    """Make a call again while the API server is only too busy for it."""
    for attempt in range(ATTEMPTS - 1):
        try:
            return await work()
        except Throttled as fault:
            await asyncio.sleep(fault.seconds + pause(attempt))
    return await work()
