"""Gives up Pods that have been in a stage for too long, and tells the ends of those that are said
to be gone, each once that is sure, as far as can be.

A Pod is deleted as it was seen and no other: what has moved on is judged again. Its end is told
once it is gone, so that no other try of its task runs beside it. A node that does not answer never
says so: its Pods are deleted by force, which the verdict tells.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping

from leoflow_controlplane.executor.cluster.calls import Calls, Object
from leoflow_controlplane.executor.cluster.ends import Ends
from leoflow_controlplane.executor.cluster.fault import CallFailed, Moved
from leoflow_controlplane.executor.cluster.limits import (
    TOLD_BY_EVENTS,
    is_late,
    judge_late,
    judge_unfollowed,
    learn,
)
from leoflow_controlplane.executor.cluster.live import Live
from leoflow_controlplane.executor.cluster.pace import pause
from leoflow_controlplane.executor.cluster.tidying import AT_ONCE
from leoflow_controlplane.executor.cluster.viewing import read_view
from leoflow_controlplane.executor.protocol import Limits
from leoflow_controlplane.pod.ending import Waiting

TICK_SECONDS = 1.0
# A Pod that is gone without a word may have been seen in a list before its end in a watch.
VANISH_SECONDS = 2.0
# After so long what could not be asked is asked again.
AGAIN_SECONDS = 5.0
EVENTS_ATTEMPTS = 3
# A Pod that changes so often as it is given up is so whatever it has changed to.
MOST_MOVES = 3

logger = logging.getLogger("leoflow.executor.kubernetes")


class Overdue:
    """Looks at the clock for the Pods of ``ends``, which have the labels ``own`` to be found by."""

    def __init__(self, calls: Calls, ends: Ends, limits: Limits, own: Mapping[str, str]) -> None:
        self._calls = calls
        self._own = own
        self._ends = ends
        self._limits = limits

    def open(self) -> None:
        """Begin to look, until ``ends`` is closed."""
        self._ends.spawn(self._tick())
        self._ends.spawn(self._look_at_missing())

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            now = time.monotonic()
            for live in [live for live in self._ends.live.values() if live.started]:
                if not live.told.is_set():
                    self._check(live, now)

    def _check(self, live: Live, now: float) -> None:
        """Look into what is told to be gone, is not told of, or waits for too long."""
        if live.vanished_at is not None:
            is_due = now - live.vanished_at >= VANISH_SECONDS
        else:
            is_due = live.unfollowed or self._find_late(live, now) is not None
        if is_due:
            self._look_soon(live)

    async def _look_at_missing(self) -> None:
        while True:
            self._look_soon(await self._ends.missing.get())

    def _look_soon(self, live: Live) -> None:
        if not live.reading and not live.told.is_set():
            live.reading = True
            self._ends.spawn(self._look_into(live))

    def _find_late(self, live: Live, now: float) -> Waiting | None:
        """Tell what a Pod waits for if it has for too long."""
        if live.wait is None or live.view is None or live.told.is_set():
            return None
        standing = self._ends.judge(live)
        if not isinstance(standing, Waiting):
            return None
        late = is_late(live.wait, standing, live.view, self._limits, now)
        return standing if late else None

    async def _look_into(self, live: Live) -> None:
        try:
            if live.vanished_at is not None or live.unfollowed:
                await self._make_sure(live)
            elif await self._is_there(live):
                await self._give_up(live)
        except CallFailed as fault:
            if not live.hindered:
                live.hindered = True
                logger.info("Pod '%s' cannot be given up yet: %s", live.name, fault.words)
            await asyncio.sleep(AGAIN_SECONDS)
        finally:
            live.reading = False

    async def _make_sure(self, live: Live) -> None:
        """Tell the end of a Pod that is said to be gone, if it is. One whose labels somebody took
        is not: it has to end, for nobody would find it again."""
        pod = await self._calls.get_pod(live.name)
        view = None if pod is None else read_view(pod)
        if pod is None or (view and live.view and view.uid != live.view.uid):
            self._ends.tell_gone(live)
        elif view is not None:
            live.vanished_at = None
            live.unfollowed = not self._own.items() <= (pod["metadata"].get("labels") or {}).items()
            self._ends.update(view)
            if live.unfollowed and not live.told.is_set():
                await self._end_unfollowed(live, pod)
                await asyncio.sleep(AGAIN_SECONDS)

    async def _end_unfollowed(self, live: Live, pod: Object) -> None:
        assert live.view is not None
        if live.view.deleting:
            await self._give_up(live)
            return
        live.given_up = judge_unfollowed(live.view)
        grace = max(AT_ONCE, pod["spec"].get("terminationGracePeriodSeconds") or 0)
        await self._calls.delete_pod(live.name, grace, uid=live.view.uid)
        logger.warning("Pod '%s' is ended: its labels were taken from it", live.name)

    async def _is_there(self, live: Live) -> bool:
        """Look at a Pod once more before it is given up, and at what was told of it."""
        pod = await self._calls.get_pod(live.name)
        view = None if pod is None else read_view(pod)
        if pod is None or (view and live.view and view.uid != live.view.uid):
            self._ends.vanish(live)
            return False
        if view is None:
            return False
        # Earlier attempts to delete it came to nothing.
        live.forced = False
        if not view.deleting:
            live.given_up = None
        self._ends.update(view)
        await self._read_events(live)
        return True

    async def _read_events(self, live: Live) -> None:
        """Learn of what a Pod waits for what only its events tell."""
        if live.wait is None or live.wait.stage not in TOLD_BY_EVENTS:
            return
        words = ""
        for attempt in range(EVENTS_ATTEMPTS):
            try:
                events = await self._calls.list_events(live.name)
            except CallFailed as fault:
                words = fault.words
            else:
                live.wait = live.wait and learn(live.wait, events)
                return
            await asyncio.sleep(pause(attempt))
        if live.wait is not None and live.wait.stage == "create":
            # Whoever may not read them, or whose cluster has them in a store of their own that is
            # down, cannot know that it is no pull that takes so long.
            words = f"its events cannot be read: {words}"
            live.wait = live.wait._replace(pulling=True, words=words)

    async def _give_up(self, live: Live) -> None:
        waiting = self._find_late(live, time.monotonic())
        if waiting is None:
            return
        assert live.wait is not None
        assert live.view is not None
        view = live.view
        # What becomes of it may be told before the call is answered, which may be lost.
        live.forced = live.wait.stage == "leave"
        if not live.forced:
            live.given_up = judge_late(live.wait, waiting, self._limits)
        grace = 0 if live.forced else AT_ONCE
        version = view.version if live.moves < MOST_MOVES else ""
        try:
            await self._calls.delete_pod(live.name, grace, uid=view.uid, version=version)
        except Moved:
            live.moves += 1
            # Or it is being deleted already: a call whose answer was lost is made again by itself.
            live.forced = False
            await self._is_there(live)
            return
        if live.forced:
            self._ends.take_forgotten(live)
