"""Tells the end of each Pod that is looked after, once, by what is seen of it.

What it means is for ``pod.ending`` to judge; what is seen comes from ``watching``, and what the
clock says from ``overdue``.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from leoflow_controlplane.executor.cluster.calls import Calls, Object
from leoflow_controlplane.executor.cluster.fault import CallFailed
from leoflow_controlplane.executor.cluster.limits import judge_forced, judge_given_up, note
from leoflow_controlplane.executor.cluster.live import Live
from leoflow_controlplane.executor.cluster.viewing import is_as_old, read_view
from leoflow_controlplane.executor.protocol import Ended, Figures
from leoflow_controlplane.pod.ending import (
    Over,
    Running,
    Standing,
    Waiting,
    judge,
    judge_gone,
    may_be_memory,
)
from leoflow_controlplane.pod.slim import PodView

# The kubelet may learn of an OOM kill after it has told of the end.
LOOK_AGAIN_SECONDS = 1.0
# By then an answer is of no use any more: the end is waited for.
READ_SECONDS = 5.0
# What the API cuts its instants to.
WHOLE_SECOND = 1.0
# What of the waiting is told in the log of the try, for somebody may have to do something.
TOLD_STAGES = {
    "schedule": "waiting for a node",
    "pull": "waiting for the image",
    "config": "waiting for the container",
}

logger = logging.getLogger("leoflow.executor.kubernetes")


class Ends:
    """The Pods in ``live``, by name; `next_end` gives the end of each, once. Those in ``missing``
    are told to be gone, without an end: that may be so, or their labels are."""

    def __init__(self, calls: Calls, figures: Figures) -> None:
        self.live: dict[str, Live] = {}
        self.missing: asyncio.Queue[Live] = asyncio.Queue()
        self._ended: asyncio.Queue[Ended | BaseException] = asyncio.Queue()
        self._calls = calls
        self._figures = figures
        self._tasks: set[asyncio.Task[Any]] = set()

    async def close(self) -> None:
        """End all that was spawned."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def look_after(self, live: Live, pod: Object) -> None:
        """Wait for the end of a Pod that is there, and may have ended."""
        self.live[live.name] = live
        view = PodView.of(pod)
        if live.view is not None and live.view.uid == view.uid:
            # What the watch has told meanwhile is newer.
            view = live.view
        else:
            # What it told was of an earlier Pod of this name.
            live.view, live.vanished_at = None, None
        live.started = True
        live.settled.set()
        self._figures.running += 1
        self._see(live, view)

    def adopt(self, live: Live, pod: Object) -> None:
        """Look after a Pod that another process has created."""
        self._figures.adopted += 1
        self.look_after(live, pod)

    async def next_end(self) -> Ended:
        """Wait for the next end; raises what keeps Pods from being looked after, which would be a
        mistake of leoflow's."""
        told = await self._ended.get()
        if isinstance(told, BaseException):
            raise told
        return told

    def update(self, view: PodView) -> None:
        """Take in what was seen of a Pod, whoever's it is."""
        live = self.live.get(view.name)
        if live is None or live.told.is_set() or _is_outdated(live, view):
            return
        if not live.started:
            live.view, live.vanished_at = view, None
        elif _is_same(live, view):
            self._see(live, view)

    def take_deleted(self, view: PodView) -> None:
        """Take in that a watch told that a Pod is gone, whoever's it is, and what it was then."""
        live = self.live.get(view.name)
        if live is None or not _is_same(live, view):
            return
        live.view = view
        self._miss(live, is_told=True)

    def vanish(self, live: Live) -> None:
        """Take in that a Pod was not found; what was seen of it last may already tell its end, and
        a watch may still be about to."""
        self._miss(live, is_told=live.unwanted.is_set())

    def take_forgotten(self, live: Live) -> None:
        """Take in that a Pod was deleted by force: nothing is told of it any more."""
        live.vanished_at = live.vanished_at or time.monotonic()
        self.tell_gone(live)

    def judge(self, live: Live) -> Standing:
        """Tell how a Pod stands by what was seen of it last."""
        assert live.view is not None
        return _judge(live, live.view)

    def tell_gone(self, live: Live) -> None:
        """Tell the end of a Pod that is gone, or that has ended although it was given up."""
        stopped = live.unwanted.is_set()
        if live.view is not None and live.forced:
            over = judge_forced(live.given_up, live.view, stopped=stopped)
        elif live.view is not None and live.given_up is not None:
            over = judge_given_up(live.given_up, live.view)
        else:
            over = judge_gone(live.view, stopped=stopped)
        self._tell(live, over)

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Have ``work`` done until `close`; `next_end` raises what it fails with."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _miss(self, live: Live, *, is_told: bool) -> None:
        live.vanished_at = live.vanished_at or time.monotonic()
        if not live.started or live.view is None:
            return
        if isinstance(self.judge(live), Over):
            if not live.view.deleting:
                # It may be there all the same, and is to be removed then.
                live.vanished_at = None
            self.tell_gone(live)
        elif is_told:
            self.missing.put_nowait(live)

    def _see(self, live: Live, view: PodView) -> None:
        standing = _judge(live, view)
        if isinstance(standing, Waiting):
            if live.ran and standing.stage != "leave":
                # A list that began before is older than what the watch has told.
                return
            self._note_waiting(live, standing)
        else:
            live.wait = None
        live.view = view
        _note_sight(live, time.time())
        if isinstance(standing, Over):
            self._end(live, standing)
        elif isinstance(standing, Running):
            # It was not deleted after all.
            live.ran, live.given_up = True, None

    def _note_waiting(self, live: Live, waiting: Waiting) -> None:
        """Keep what a Pod waits for, and tell it once in each stage: a scheduler says much."""
        before = live.wait
        live.wait = note(before, waiting, time.monotonic())
        is_new = before is None or before.stage != live.wait.stage or not before.words
        if is_new and live.wait.words and live.wait.stage in TOLD_STAGES:
            live.say(f"{TOLD_STAGES[live.wait.stage]}: {live.wait.words}")

    def _end(self, live: Live, over: Over) -> None:
        assert live.view is not None
        if live.given_up is not None:
            self.tell_gone(live)
        elif live.unwanted.is_set() or not may_be_memory(over, live.view):
            self._tell(live, over)
        elif not live.looked_again:
            live.looked_again = True
            self.spawn(self._look_again(live))

    async def _look_again(self, live: Live) -> None:
        """Tell an end once it is known whether memory was the cause, if it is not told before."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_AGAIN_SECONDS):
                await live.told.wait()
                return
        pod = None
        with suppress(CallFailed, TimeoutError):
            async with asyncio.timeout(READ_SECONDS):
                pod = await self._calls.get_pod(live.name)
        view = None if pod is None else read_view(pod)
        if view is not None and _is_same(live, view):
            live.view = view
        self.tell_gone(live)

    def _tell(self, live: Live, over: Over) -> None:
        if live.told.is_set():
            return
        live.told.set()
        self._figures.running -= 1
        placed_at = None if live.view is None else live.view.placed_at
        self._ended.put_nowait(
            Ended(
                live.key,
                over.exit,
                refine(over.started_at, live.ran_seen_at),
                refine(over.ended_at, time.time()),
                refine(placed_at, live.placed_seen_at),
            )
        )

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            # Who waits for ends has to know that some may not come any more.
            self._ended.put_nowait(error)


def refine(told: float | None, seen_at: float | None) -> float | None:
    """Give an instant of the API's, which is cut to whole seconds, as near as it is known.

    It was seen to have come, which is told within milliseconds unless nobody was watching.
    """
    if told is None or seen_at is None:
        return told
    return min(max(told, seen_at), told + WHOLE_SECOND)


def _judge(live: Live, view: PodView) -> Standing:
    return judge(view, stopped=live.unwanted.is_set() or live.given_up is not None)


def _note_sight(live: Live, now: float) -> None:
    view = live.view
    if view is None:
        return
    if live.placed_seen_at is None and view.placed_at is not None:
        live.placed_seen_at = now
    if live.ran_seen_at is None and view.task is not None and view.task.phase != "waiting":
        live.ran_seen_at = now


def _is_outdated(live: Live, view: PodView) -> bool:
    """Say whether more is known of a Pod already: a list that takes long is behind the watch."""
    if live.view is None or live.view.uid != view.uid:
        return False
    if not live.started and live.vanished_at is not None:
        # A watch told that it is gone, and no other one will have its uid.
        return True
    return view.version != live.view.version and is_as_old(view.version, live.view.version)


def _is_same(live: Live, view: PodView) -> bool:
    """Say whether a Pod is the one that is looked after, and no other one of its name; before its
    creation was answered it may be any."""
    return not live.started or live.view is None or live.view.uid == view.uid
