"""Creates Pods and claims: fast, not faster than the cluster likes, and each once.

A Pod's name is its try's, so a creation whose answer was lost is made again and finds its own. One
that was seen or heard, and is gone, is not created a second time: its task may have been at work.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, NamedTuple

from leoflow_controlplane.error import LaunchFailed
from leoflow_controlplane.executor.cluster.calls import Calls, Object
from leoflow_controlplane.executor.cluster.claims import Claims
from leoflow_controlplane.executor.cluster.fault import (
    AlreadyThere,
    Away,
    Broken,
    CallFailed,
    QuotaExceeded,
    Refused,
    Throttled,
    Unauthorized,
)
from leoflow_controlplane.executor.cluster.limits import LEAVE_SECONDS
from leoflow_controlplane.executor.cluster.pace import Pace, pause
from leoflow_controlplane.executor.cluster.tidying import AT_ONCE, Tidying
from leoflow_controlplane.executor.cluster.watching import Watch
from leoflow_controlplane.executor.protocol import Limits
from leoflow_controlplane.model import TryKey
from leoflow_controlplane.pod.name import OWNER, REALM, read_try

# Beyond the calls that are under way at the API server, more at once make it no faster.
CALLS_AT_ONCE = 48
# A quota of the namespace is looked at again so often, by each Pod that waits for it.
QUOTA_SECONDS = 10.0
# After so many it is no moment's rush any more that a server is too busy for.
BUSY_ATTEMPTS = 5
STOPPED = "it was stopped before its Pod was created"
UNSURE = (
    "Its Pod may have been created all the same, for an answer was lost: whether its container "
    "runs is not known"
)

Work = Callable[[], Coroutine[Any, Any, Any]]

logger = logging.getLogger("leoflow.executor.kubernetes")


class Order(NamedTuple):
    """A Pod to create, with the claim that has to be there first. ``say`` takes lines for the log
    of its try. ``was_there``: it was seen, or its agent was heard, whatever was answered."""

    key: TryKey
    pod: Object
    claim: Object | None
    say: Callable[[str], None]
    unwanted: asyncio.Event
    was_there: Callable[[], bool]

    @property
    def name(self) -> str:
        """The name of the Pod."""
        return str(self.pod["metadata"]["name"])


class Created(NamedTuple):
    """A Pod or claim that is there. ``at`` None: it was found, and not made for this order."""

    thing: Object
    at: float | None


class Creator:
    """Creates Pods in one namespace. ``under_way``: calls that go on whoever waits for them."""

    def __init__(
        self,
        calls: Calls,
        watch: Watch,
        tidying: Tidying,
        claims: Claims,
        limits: Limits,
        rate: float,
    ) -> None:
        self.under_way: set[asyncio.Future[Any]] = set()
        self.calls = calls
        self.watch = watch
        self.tidying = tidying
        self.limits = limits
        self._pace = Pace(rate)
        self._turns = asyncio.Semaphore(CALLS_AT_ONCE)
        self._claims = claims

    async def create(self, order: Order) -> Created:
        """Create a Pod, or find the one that is there for the same try.

        Raises LaunchFailed, which is final unless it says otherwise, also once the order is
        unwanted. A Pod may be there nevertheless, if an answer was lost. An API server that does
        not answer is waited for.
        """
        if order.claim is not None:
            await self._create_claim(order)
        return await _Creation(self, order).run()

    async def call(self, unwanted: asyncio.Event, work: Work) -> Any:
        """Make a call in its turn. It goes on when we are cancelled, and is never given up."""
        await _rest(unwanted, self._pace.take_turn())
        await self._turns.acquire()
        call = asyncio.ensure_future(self._hold_turn(work))
        self.under_way.add(call)
        call.add_done_callback(self.under_way.discard)
        return await asyncio.shield(call)

    def hold(self, seconds: float) -> None:
        """Let no creation begin for a time."""
        self._pace.hold(seconds)

    async def _hold_turn(self, work: Work) -> Any:
        try:
            return await work()
        finally:
            self._turns.release()

    async def _create_claim(self, order: Order) -> None:
        assert order.claim is not None
        if not self._claims.knows(order.claim["metadata"]["name"]):
            with self._claims.coming(order.claim["metadata"]):
                created = await _Creation(self, order, claim=True).run()
                self._claims.note(created.thing["metadata"])


class _Creation:
    """One creation with all its attempts."""

    def __init__(self, creator: Creator, order: Order, *, claim: bool = False) -> None:
        self._creator = creator
        self._order = order
        self._is_claim = claim
        self._calls = creator.calls
        self._limits = creator.limits
        self._unsure = False
        self._attempt = 0
        self._broken_since: float | None = None
        self._quota_since: float | None = None

    async def run(self) -> Created:
        """Try until it is there. Raises LaunchFailed."""
        try:
            return await self._try_for_long()
        except LaunchFailed as failed:
            if not self._unsure or self._is_claim or await self._is_gone():
                raise
            raise LaunchFailed(f"{failed.reason}. {UNSURE}", transient=failed.transient) from failed

    async def _is_gone(self) -> bool:
        """Have a Pod deleted whose creation was not answered, and say whether there is none now.

        It takes the time that a node has to end a Pod, at the most; then it is left to ``tidying``.
        """
        name, attempt, until = self._order.name, 0, time.monotonic() + AT_ONCE + LEAVE_SECONDS
        while time.monotonic() < until:
            try:
                if not await self._calls.delete_pod(name, AT_ONCE):
                    return True
            except CallFailed as fault:
                logger.warning("Pod '%s' cannot be removed yet: %s", name, fault.words)
            await asyncio.sleep(pause(attempt))
            attempt += 1
        self._creator.tidying.remove_now(name, forced=True)
        return False

    async def _try_for_long(self) -> Created:
        while True:
            try:
                return await self._try_once()
            except Throttled as fault:
                self._creator.hold(fault.seconds)
                seconds = fault.seconds + pause(self._attempt)
                if self._attempt == BUSY_ATTEMPTS:
                    logger.warning("%s is not created yet: %s", self._order.name, fault.words)
            except Away as fault:
                # It may have been done all the same, unless we were not even known.
                self._unsure = self._unsure or not isinstance(fault, Unauthorized)
                self._creator.watch.note_away(fault)
                self._broken_since = None
                seconds = pause(self._attempt)
            except Broken as fault:
                seconds = self._wait_for_server(fault)
            except QuotaExceeded as fault:
                seconds = self._wait_for_quota(fault)
            except Refused as fault:
                raise LaunchFailed(self._refusal(fault), transient=False) from fault
            self._attempt += 1
            await _rest(self._order.unwanted, seconds)

    async def _try_once(self) -> Created:
        create = self._calls.create_claim if self._is_claim else self._calls.create_pod
        body = self._order.claim if self._is_claim else self._order.pod
        assert body is not None
        try:
            if self._unsure and not self._is_claim and self._order.was_there():
                return await self._look_at(body["metadata"])
            made = await self._creator.call(self._order.unwanted, lambda: create(body))
        except AlreadyThere:
            return await self._look_at(body["metadata"])
        except Broken:
            # Its database may have taken what it heard no answer to.
            self._unsure = True
            raise
        self._creator.watch.note_answer()
        return Created(made, time.time())

    async def _look_at(self, metadata: Object) -> Created:
        """Take what is there under our name, if it is what we would have made."""
        get = self._calls.get_claim if self._is_claim else self._calls.get_pod
        found = await get(metadata["name"])
        if found is None and self._unsure and not self._is_claim:
            raise LaunchFailed("its Pod was deleted by somebody once it was made", transient=True)
        if found is None:
            raise Throttled("it was there and is gone", 0.0)
        there = found["metadata"]
        ours = all(_labels(there).get(one) == _labels(metadata).get(one) for one in (REALM, OWNER))
        if self._is_claim:
            if there.get("deletionTimestamp"):
                raise Broken(f"claim '{metadata['name']}' of an earlier run is still being deleted")
            return Created(found, None)
        if not ours or read_try(there) != self._order.key:
            # Whatever became of our own calls, what is there is not ours to remove.
            self._unsure = False
            raise LaunchFailed(
                f"there is a Pod '{metadata['name']}' already, and it is not of this try. Delete "
                f"it ('kubectl delete pod {metadata['name']}') and start the task again.",
                transient=False,
            )
        if self._creator.tidying.is_leaving(metadata["name"]):
            # It may be kept for people to look at.
            self._creator.tidying.remove_now(metadata["name"], there["uid"])
            raise Broken(f"Pod '{metadata['name']}' is still being deleted")
        return Created(found, time.time() if self._unsure else None)

    def _wait_for_server(self, fault: Broken) -> float:
        """Wait for a server that answers and fails, within the limit of a start."""
        now = time.monotonic()
        self._broken_since = self._broken_since or now
        if now - self._broken_since >= self._limits.start_timeout_seconds:
            raise LaunchFailed(
                f"its {self._what} could not be created within start_timeout_seconds = "
                f"{self._limits.start_timeout_seconds:g}: {fault.words}",
                transient=True,
            ) from fault
        logger.warning("%s is not created yet: %s", self._order.name, fault.words)
        return pause(self._attempt)

    def _wait_for_quota(self, fault: QuotaExceeded) -> float:
        now = time.monotonic()
        if self._quota_since is None:
            self._quota_since = now
            self._order.say(f"waiting for the quota of the namespace: {fault.words}")
        if now - self._quota_since >= self._limits.quota_wait_seconds:
            raise LaunchFailed(
                f"its {self._what} did not fit into the namespace's quota within "
                f"quota_wait_seconds = {self._limits.quota_wait_seconds:g}: {fault.words}",
                transient=False,
            ) from fault
        return min(QUOTA_SECONDS, pause(self._attempt))

    def _refusal(self, fault: Refused) -> str:
        return f"the cluster refused its {self._what}: {fault.words}"

    @property
    def _what(self) -> str:
        return "volume claim" if self._is_claim else "Pod"


def _labels(metadata: Object) -> Object:
    labels: Object = metadata.get("labels") or {}
    return labels


async def _rest(unwanted: asyncio.Event, seconds: float) -> None:
    """Wait, and raise LaunchFailed as soon as ``unwanted`` is set."""
    if seconds > 0 and not unwanted.is_set():
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await unwanted.wait()
    if unwanted.is_set():
        raise LaunchFailed(STOPPED, transient=False)
