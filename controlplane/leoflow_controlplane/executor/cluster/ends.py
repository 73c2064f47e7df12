"""Tells the end of each Pod that is looked after, once: by what is seen of it, and by the clock.

What it means is for ``pod.ending`` and ``limits`` to judge; what is seen comes from ``watching``.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine
from typing import Any

from leoflow_controlplane.executor.cluster.calls import Calls, Object
from leoflow_controlplane.executor.cluster.fault import CallFailed, Refused
from leoflow_controlplane.executor.cluster.limits import is_late, judge_late, note, read_progress
from leoflow_controlplane.executor.cluster.live import Live
from leoflow_controlplane.executor.cluster.tidying import Tidying
from leoflow_controlplane.executor.protocol import Ended, Figures, Limits
from leoflow_controlplane.pod.ending import (
    KILLED,
    Over,
    Running,
    Standing,
    Waiting,
    judge,
    judge_gone,
)
from leoflow_controlplane.pod.slim import PodView

TICK_SECONDS = 1.0
# A Pod that is gone without a word may have been seen in a list before its end in a watch.
VANISH_SECONDS = 2.0
# The kubelet may learn of an OOM kill after it has told of the end.
LOOK_AGAIN_SECONDS = 1.0
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
    """The Pods in ``live``, by name; `next_end` gives the end of each, once."""

    def __init__(self, calls: Calls, tidying: Tidying, limits: Limits, figures: Figures) -> None:
        self.live: dict[str, Live] = {}
        self._ended: asyncio.Queue[Ended | BaseException] = asyncio.Queue()
        self._calls = calls
        self._tidying = tidying
        self._limits = limits
        self._figures = figures
        self._tasks: set[asyncio.Task[Any]] = set()

    def open(self) -> None:
        """Begin to look at the clock."""
        self.spawn(self._tick())

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
        if live is None or live.gone.is_set():
            return
        if not live.started:
            live.view, live.vanished_at = view, None
        elif _is_same(live, view):
            self._see(live, view)

    def take_deleted(self, view: PodView) -> None:
        """Take in that a Pod was deleted, whoever's it is, and what it was then."""
        live = self.live.get(view.name)
        if live is not None and _is_same(live, view):
            live.view = view
            self.vanish(live)

    def vanish(self, live: Live) -> None:
        """Take in that a Pod is gone; what was seen of it last may already tell its end."""
        live.vanished_at = live.vanished_at or time.monotonic()
        if not live.started or live.view is None:
            return
        if live.unwanted.is_set() or isinstance(self._judge(live, live.view), Over):
            self._tell(live, judge_gone(live.view, stopped=live.unwanted.is_set()))

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Have ``work`` done until `close`; `next_end` raises what it fails with."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _see(self, live: Live, view: PodView) -> None:
        standing = self._judge(live, view)
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
            live.ran = True

    def _note_waiting(self, live: Live, waiting: Waiting) -> None:
        """Keep what a Pod waits for, and tell it once in each stage: a scheduler says much."""
        before = live.wait
        live.wait = note(before, waiting, time.monotonic())
        is_new = before is None or before.stage != live.wait.stage or not before.words
        if is_new and live.wait.words and live.wait.stage in TOLD_STAGES:
            live.say(f"{TOLD_STAGES[live.wait.stage]}: {live.wait.words}")

    def _judge(self, live: Live, view: PodView) -> Standing:
        return judge(view, stopped=live.unwanted.is_set())

    def _end(self, live: Live, over: Over) -> None:
        exit = over.exit
        if exit.code == KILLED and not exit.oom_killed and not live.looked_again:
            live.looked_again = True
            if not live.unwanted.is_set():
                self.spawn(self._look_again(live))
                return
        self._tell(live, over)

    async def _look_again(self, live: Live) -> None:
        await asyncio.sleep(LOOK_AGAIN_SECONDS)
        try:
            pod = await self._calls.get_pod(live.name)
        except CallFailed:
            pod = None
        if pod is not None and _is_same(live, view := PodView.of(pod)):
            live.view = view
        assert live.view is not None
        self._tell(live, judge_gone(live.view, stopped=live.unwanted.is_set()))

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            now = time.monotonic()
            for live in [live for live in self.live.values() if live.started]:
                if not live.gone.is_set():
                    self._check(live, now)

    def _check(self, live: Live, now: float) -> None:
        """End what is gone for good, or waits for too long."""
        if live.vanished_at is not None:
            if now - live.vanished_at >= VANISH_SECONDS:
                self._tell(live, judge_gone(live.view, stopped=live.unwanted.is_set()))
            return
        if live.wait is None or live.view is None or live.reading:
            return
        standing = self._judge(live, live.view)
        if not isinstance(standing, Waiting):
            return
        if is_late(live.wait, standing, live.view, self._limits, now):
            live.reading = True
            self.spawn(self._look_into(live))

    async def _look_into(self, live: Live) -> None:
        """Look at a Pod once more, and at what was told of it, before it is given up."""
        try:
            pod = await self._calls.get_pod(live.name)
            events = await self._read_events(live)
        except CallFailed as fault:
            logger.info("Pod '%s' cannot be looked at: %s", live.name, fault.words)
            return
        finally:
            live.reading = False
        if pod is None:
            self.vanish(live)
        else:
            self.update(PodView.of(pod))
        if live.gone.is_set() or live.wait is None or live.view is None:
            return
        waiting = self._judge(live, live.view)
        if not isinstance(waiting, Waiting):
            return
        if live.wait.stage == "create":
            pulling, words = read_progress(events)
            live.wait = live.wait._replace(pulling=pulling, words=words or live.wait.words)
        if is_late(live.wait, waiting, live.view, self._limits, time.monotonic()):
            self._give_up(live, waiting)

    async def _read_events(self, live: Live) -> list[Object]:
        try:
            return await self._calls.list_events(live.name)
        except Refused as fault:
            # Whoever may not read them gets poorer words.
            logger.info("the events of Pod '%s' cannot be read: %s", live.name, fault.words)
            return []

    def _give_up(self, live: Live, waiting: Waiting) -> None:
        assert live.wait is not None
        assert live.view is not None
        over = judge_late(live.wait, waiting, live.view, self._limits)
        if live.unwanted.is_set():
            over = judge_gone(live.view, stopped=True)
        self._tidying.remove_now([live.name], forced=live.wait.stage == "leave")
        self._tell(live, over)

    def _tell(self, live: Live, over: Over) -> None:
        if live.gone.is_set():
            return
        live.over = over
        live.gone.set()
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


def _note_sight(live: Live, now: float) -> None:
    view = live.view
    if view is None:
        return
    if live.placed_seen_at is None and view.placed_at is not None:
        live.placed_seen_at = now
    if live.ran_seen_at is None and view.task is not None and view.task.phase != "waiting":
        live.ran_seen_at = now


def _is_same(live: Live, view: PodView) -> bool:
    """Say whether a Pod is the one that is looked after, and no other one of its name; before its
    creation was answered it may be any."""
    return not live.started or live.view is None or live.view.uid == view.uid
