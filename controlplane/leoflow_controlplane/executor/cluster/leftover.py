"""What dead processes left in a cluster: their Pods are taken over, kept for a time, or removed."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection
from typing import NamedTuple

from leoflow_controlplane.executor.cluster.calls import Calls, Object, list_pages
from leoflow_controlplane.executor.cluster.fault import Away, CallFailed
from leoflow_controlplane.executor.cluster.live import Live
from leoflow_controlplane.executor.cluster.pace import pause
from leoflow_controlplane.executor.cluster.tidying import AT_ONCE, CALLS_AT_ONCE, Tidying
from leoflow_controlplane.executor.cluster.watching import Watch, read_view
from leoflow_controlplane.model import SERVER, RunKey, TryKey
from leoflow_controlplane.pod.ending import Over, judge
from leoflow_controlplane.pod.name import OWNER, REALM, label_value, read_run, read_try
from leoflow_controlplane.pod.site import PodSite

# So long a node has to end what is closed. One that is only slow ends it all the same later, when
# it sees that the Pod is gone.
CLOSE_SECONDS = 15.0

logger = logging.getLogger("leoflow.executor.kubernetes")


class Keep(NamedTuple):
    """For how many seconds a Pod is kept, for people, that has ended by itself."""

    finished_seconds: float
    failed_seconds: float

    def seconds(self, over: Over) -> float:
        """Give the seconds from an end on."""
        return self.finished_seconds if over.exit.code == 0 else self.failed_seconds


def select_own(place: PodSite) -> str:
    """Give the selector of all that is of an owner."""
    return f"{REALM}={label_value(place.realm_id)},{OWNER}={label_value(place.owner_id)}"


class Leftovers:
    """What is in one namespace and was not created by this process, or is to go with it."""

    def __init__(
        self, calls: Calls, place: PodSite, watch: Watch, tidying: Tidying, keep: Keep
    ) -> None:
        self._calls = calls
        self._watch = watch
        self._tidying = tidying
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
                claims = await self._calls.list_claims(self._own)
                break
            except CallFailed as fault:
                self._note(fault)
            await asyncio.sleep(pause(attempt))
            attempt += 1
        stale = [one["metadata"] for one in claims if read_run(one["metadata"]) not in runs]
        await self._tidying.remove_claims(one["name"] for one in stale)
        self._tidying.may_remove_strays = True
        return adopted

    async def sweep(self, is_alive: Callable[[str], bool]) -> list[str]:
        """Remove the Pods and claims of the processes of our realm that are dead, but the
        server's; name them."""

        def is_dead(thing: Object) -> bool:
            owner = thing["metadata"]["labels"].get(OWNER)
            return owner not in (None, SERVER) and not is_alive(owner)

        try:
            pods = [
                pod["metadata"]["name"]
                async for page in list_pages(self._calls, self._others)
                for pod in page.items
                if is_dead(pod)
            ]
            claims = await self._calls.list_claims(self._others)
        except CallFailed as fault:
            self._note(fault)
            return []
        names = [one["metadata"]["name"] for one in claims if is_dead(one)]
        self._tidying.remove_now(pods)
        await self._tidying.remove_claims(names)
        return [f"Pod {name}" for name in pods] + [f"claim {name}" for name in names]

    async def remove_all(self) -> None:
        """Remove all that is of our owner, now; by force what its node does not end."""
        calls = self._calls
        try:
            names = set(self._watch.live) | await self._list_names()
            await self._delete(names, AT_ONCE)
            if deaf := await self._await_end(names):
                logger.warning("removing Pods that their nodes do not end: %s", ", ".join(deaf))
                await self._delete(deaf, 0)
            for claim in await calls.list_claims(self._own):
                await calls.delete_claim(claim["metadata"]["name"])
        except CallFailed as fault:
            logger.warning("Pods are left for the next sweep: %s", fault.words)

    async def _list_names(self) -> set[str]:
        pages = list_pages(self._calls, self._own)
        return {pod["metadata"]["name"] async for page in pages for pod in page.items}

    async def _delete(self, names: Collection[str], grace_seconds: int) -> None:
        turns = asyncio.Semaphore(CALLS_AT_ONCE)

        async def remove(name: str) -> None:
            async with turns:
                await self._calls.delete_pod(name, grace_seconds)

        await asyncio.gather(*(remove(name) for name in names))

    async def _await_end(self, names: Collection[str]) -> set[str]:
        """Wait until Pods are gone; give those that still are not after CLOSE_SECONDS."""
        until, attempt, there = time.monotonic() + CLOSE_SECONDS, 0, set(names)
        while there and time.monotonic() < until:
            there &= await self._list_names()
            if there:
                await asyncio.sleep(pause(attempt))
                attempt += 1
        return there

    def _look_at(self, pod: Object, wanted: Collection[TryKey], adopted: set[TryKey]) -> None:
        """Take over a Pod of a dead process, or have it removed."""
        name = pod["metadata"]["name"]
        if name in self._watch.live or self._tidying.is_leaving(name):
            return
        key, view = read_try(pod["metadata"]), read_view(pod)
        over = None if view is None else judge(view)
        if view is not None and key is not None and key in wanted:
            adopted.add(key)
            self._watch.adopt(Live(key, name), pod)
        elif view is not None and isinstance(over, Over):
            age = time.time() - (over.ended_at or view.created_at or 0.0)
            self._tidying.remove_later(name, self._keep.seconds(over) - age)
        else:
            self._tidying.remove_now([name])

    def _note(self, fault: CallFailed) -> None:
        if isinstance(fault, Away):
            self._watch.note_away(fault)
        else:
            logger.warning("Pods cannot be listed: %s", fault.words)
