"""What becomes of the tries in an executor, from their dispatch until nothing is left of them.

Decides nothing; that is done in ``steps``. Nor does it know what else a step led to: the scheduler
follows that.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Coroutine
from typing import Any

from leoflow_controlplane.book.progress import Progress, Stop
from leoflow_controlplane.error import LaunchFailed
from leoflow_controlplane.executor.protocol import Ended, Executor
from leoflow_controlplane.launching import Launcher
from leoflow_controlplane.logcontext import about
from leoflow_controlplane.model import TryKey
from leoflow_controlplane.observer import Observer
from leoflow_controlplane.stepper import Stepper
from leoflow_controlplane.steps import ending, recovery
from leoflow_controlplane.steps.ending import End
from leoflow_controlplane.verdict import Exit
from leoflow_controlplane.workload import Dispatch

# Ends that one step takes in: reports must not wait long for it.
MOST_ENDS = 50
# Containers that are removed at once.
MOST_REMOVALS = 16
GONE = "the container was gone when the control plane looked for it"

logger = logging.getLogger("leoflow.scheduler")


class Tries:
    """The tries that are in the hands of one scheduler, all but inline ones in ``executor``.

    ``follow`` acts upon what a step led to; ``spawn`` runs what a failure of ends the scheduler,
    until that is closed.
    """

    def __init__(
        self,
        executor: Executor,
        steps: Stepper,
        launcher: Launcher,
        clock: Callable[[], float],
        observer: Observer,
        follow: Callable[[Progress], None],
        spawn: Callable[[Coroutine[Any, Any, None]], object],
    ) -> None:
        self.executor = executor
        self._steps = steps
        self._launcher = launcher
        self._clock = clock
        self._observer = observer
        self._follow = follow
        self._spawn = spawn
        self._closed = False
        # Tries from their dispatch to the removal of their container, and their first instants.
        self._ours: dict[TryKey, dict[str, float]] = {}
        self._launching: set[TryKey] = set()
        self._unwanted: set[TryKey] = set()
        # Ends that were told in this turn of the loop.
        self._ended: list[Ended] = []
        # Tries of which all is written down, and whose containers are to be removed.
        self._gone: asyncio.Queue[TryKey] = asyncio.Queue()

    def listen(self, adopted: Collection[TryKey]) -> None:
        """Hear of the ends of tries: of those that the executor has ``adopted``, and of others."""
        self._ours |= {key: {} for key in adopted}
        self._spawn(self._take_ends())
        for _ in range(MOST_REMOVALS):
            self._spawn(self._clear_up())

    @property
    def keys(self) -> frozenset[TryKey]:
        """Name all that are in our hands now."""
        return frozenset(self._ours)

    def hold(self, key: TryKey) -> bool:
        """Take a try in hand that is not launched here; False if it is in our hands already."""
        if key in self._ours:
            return False
        self._ours[key] = {}
        return True

    def forget(self, key: TryKey) -> None:
        """Let go of a try of which nothing is left."""
        self._ours.pop(key, None)

    def launch(self, dispatch: Dispatch) -> None:
        """Have the executor start a try, unless it is in our hands."""
        key = dispatch.key
        if key in self._ours:
            return
        self._ours[key] = {}
        self._launching.add(key)
        self._spawn(self._launch(dispatch))

    async def stop(self, stop: Stop) -> None:
        """Have the executor stop a try, be it in the middle of its start."""
        if stop.key in self._launching:
            self._unwanted.add(stop.key)
        await self.executor.stop(stop.key, stop.grace_seconds)

    def give_up(self, keys: Collection[TryKey]) -> None:
        """End tries that nobody has started or adopted, although they are known to have begun."""
        lost = [
            Ended(key, Exit(None, reason=GONE, machinery=True)) for key in keys if self.hold(key)
        ]
        if lost:
            self._spawn(self._close_tries(lost))

    def find_starting(self) -> tuple[frozenset[TryKey], str]:
        """Name the tries that the executor is at work on, and what to look at if one is not heard
        of although it is done."""
        pods = self.executor.pods
        if pods is None:
            return frozenset(self._launching), ""
        seconds = self._steps.book.settings.start_allowance_seconds
        return pods.starting(seconds) | self._launching, pods.advice

    def count(self) -> None:
        """Tell the observer how many tries run."""
        if self._closed:
            return
        running = self.executor.figures.running
        if self.executor.pods is None:
            self._observer.containers_running(running)
        else:
            self._observer.pods_running(running)

    def close(self) -> None:
        """Start nothing any more: the executor may still talk. Who spawns ends what runs."""
        self._closed = True

    async def _launch(self, dispatch: Dispatch) -> None:
        key = dispatch.key
        try:
            await self._start(dispatch)
            self.count()
        except LaunchFailed as error:
            with about(key):
                logger.info("the try could not be started: %s", error.reason)
            self._observer.launch_failed(transient=error.transient)
            await self._fail_launch(key, error)
            self.forget(key)
        finally:
            self._launching.discard(key)
        if key in self._unwanted:
            self._unwanted.discard(key)
            await self.executor.stop(key, 0)

    async def _start(self, dispatch: Dispatch) -> None:
        key = dispatch.key
        try:
            with about(key):
                logger.debug("the try is started")
                launch = self._launcher.prepare(
                    dispatch, self.executor, self._sayer(key), lambda: self._is_heard(key)
                )
                if not self._steps.database.surely_leads():
                    # Another process may have started it, seen its end and removed it meanwhile.
                    await self._steps.persist(recovery.find_open)
                self._ours[key] |= await self.executor.start(launch)
        except OSError as error:
            # A folder that cannot be made is this try's misfortune, and nobody else's.
            reason = f"what it needs on the control plane's machine cannot be made: {error}"
            raise LaunchFailed(reason, transient=True) from error

    async def _fail_launch(self, key: TryKey, error: LaunchFailed) -> None:
        failure = (error.reason, error.transient)
        self._follow(await self._steps.persist(ending.fail_launch, key, failure, self._clock()))

    def _is_heard(self, key: TryKey) -> bool:
        held = self._steps.book.tries.get(key)
        return held is None or held.agent_seen

    def _sayer(self, key: TryKey) -> Callable[[str], None]:
        """Give what takes lines for the log of a try."""

        def say(text: str) -> None:
            if self._closed:
                # Nobody would wait for it, and an executor may still talk.
                return
            self._spawn(self._log(key, text + "\n"))

        return say

    async def _log(self, key: TryKey, text: str) -> None:
        self._follow(await self._steps.persist(ending.log_try, key, text, self._clock()))

    async def _take_ends(self) -> None:
        while True:
            ended = await self.executor.ended()
            if not self._ended:
                # Whatever else has ended by then goes into the same step.
                asyncio.get_running_loop().call_soon(self._close_ended)
            self._ended.append(ended)

    def _close_ended(self) -> None:
        ended, self._ended = self._ended, []
        if self._closed:
            # Whoever comes next finds that they are gone.
            return
        for first in range(0, len(ended), MOST_ENDS):
            self._spawn(self._close_tries(ended[first : first + MOST_ENDS]))

    async def _close_tries(self, ended: list[Ended]) -> None:
        ends = [self._end_of(one) for one in ended]
        lacking, progress = await self._steps.persist(ending.close_tries, ends, self._clock())
        self._follow(progress)
        for end in ends:
            if end.key in lacking:
                self._spawn(self._settle(end))
            else:
                self._gone.put_nowait(end.key)
        self.count()

    def _end_of(self, ended: Ended) -> End:
        if logger.isEnabledFor(logging.DEBUG):
            with about(ended.key):
                logger.debug("the try has ended: %s", ended.exit)
        instants = dict(self._ours.get(ended.key, {}))
        if ended.placed_at:
            instants["placed"] = ended.placed_at
        if ended.started_at:
            instants["started"] = ended.started_at
        if ended.ended_at:
            instants["ended"] = ended.ended_at
        return End(ended.key, ended.exit, instants)

    async def _settle(self, end: End) -> None:
        key, executor = end.key, self.executor
        # Its last report may have been sent and not be read yet.
        await asyncio.sleep(self._steps.book.settings.settle_seconds)
        left = (end.exit, await executor.log_tail(key), await executor.left_verdict(key))
        self._follow(await self._steps.persist(ending.settle, key, left, self._clock()))
        self._gone.put_nowait(key)

    async def _clear_up(self) -> None:
        while True:
            key = await self._gone.get()
            await self.executor.remove(key)
            self.forget(key)
