"""The loop that has no tick: what happened is committed, and what follows from it starts at once.

Decides nothing; that is done in ``steps``. What it remembers is which tries are in its hands.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, ParamSpec, TypeVar

from leoflow_agent.wire import Acknowledgement, Inputs, Pulled, Report
from sqlalchemy import Connection

from leoflow_controlplane.audience import NOBODY, Audience
from leoflow_controlplane.bell import Bell
from leoflow_controlplane.book.book import Book, Progress, Stop
from leoflow_controlplane.database import Database
from leoflow_controlplane.error import (
    ControlPlaneError,
    LaunchFailed,
    NotLeading,
    SecretMissing,
)
from leoflow_controlplane.executor.protocol import Ended, Executor
from leoflow_controlplane.inlinecalls import InlineCalls
from leoflow_controlplane.launching import Launcher
from leoflow_controlplane.logcontext import about
from leoflow_controlplane.model import TryKey
from leoflow_controlplane.secretsource import SecretSource, find_missing, find_secrets
from leoflow_controlplane.stepper import Stepper
from leoflow_controlplane.steps import calling, due, ending, recovery, report
from leoflow_controlplane.steps.ending import End
from leoflow_controlplane.timer import Timer
from leoflow_controlplane.trytoken import TryTokens
from leoflow_controlplane.verdict import Exit
from leoflow_controlplane.workload import Dispatch

P = ParamSpec("P")
T = TypeVar("T")

# A thousand inline calls may begin or end at once, and agents must not wait for all of them.
_PATIENT: frozenset[Callable[..., Any]] = frozenset({calling.move_calls, ending.log_try})
# Ends that one step takes in: reports must not wait long for it.
MOST_ENDS = 50
# Containers that are removed at once.
MOST_REMOVALS = 16
GONE = "the container was gone when the control plane looked for it"

logger = logging.getLogger("leoflow.scheduler")


class Scheduler:
    """Brings reports, ends and due instants to the store, and starts what comes out.

    ``bell`` rings for each run that changes. ``failure`` is what ended the scheduler, if anything
    did, and ``failed`` is set then; a database that cannot be used does so only once
    ``patience_seconds`` (None: never) have passed: until then what is not durable is tried again.
    ``audience`` is told of what happens.
    """

    def __init__(
        self,
        database: Database,
        book: Book,
        tokens: TryTokens,
        secrets: SecretSource,
        clock: Callable[[], float],
        audience: Audience = NOBODY,
        patience_seconds: float | None = None,
    ) -> None:
        self.bell = Bell()
        self.failure: BaseException | None = None
        self.failed = asyncio.Event()
        self._database = database
        self._book = book
        self._tokens = tokens
        self._secrets = secrets
        self._clock = clock
        self._audience = audience
        self._observer = audience.observer
        self._steps = Stepper(database, book, _PATIENT, patience_seconds)
        self._steps.failed = self._resume_later
        self._timer = Timer(clock)
        self._inline = InlineCalls(book.settings, secrets, self._steps, clock, self._observer)
        self._launcher = Launcher(book.settings, secrets, traces=audience.traces)
        self._executor: Executor | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        # Tries from their dispatch to the removal of their container, and their first instants.
        self._ours: dict[TryKey, dict[str, float]] = {}
        self._launching: set[TryKey] = set()
        # Ends that were told in this turn of the loop.
        self._ended: list[Ended] = []
        # Tries of which all is written down, and whose containers are to be removed.
        self._gone: asyncio.Queue[TryKey] = asyncio.Queue()
        self._unwanted: set[TryKey] = set()
        self._resuming: asyncio.Task[None] | None = None

    async def start(self, executor: Executor) -> None:
        """Take up what was left under way, and listen to ``executor`` and to the clock."""
        found = await self._database.run(recovery.find_open, self._book)
        adopted = await executor.adopt(found.tries, found.runs)
        self._ours |= {key: {} for key in adopted}
        self._executor = executor
        self._spawn(self._take_ends(executor))
        for _ in range(MOST_REMOVALS):
            self._spawn(self._clear_up(executor))
        self._spawn(self._keep_time())
        self._spawn(self._inline.run(self._follow, self._forget))
        await self._recover(anew=True)
        self._count_containers()

    async def run(
        self,
        step: Callable[Concatenate[Connection, Book, P], tuple[T, Progress]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Run a step, act upon what it led to, and return its answer."""
        answer, progress = await self._steps.run(step, *args, **kwargs)
        self._follow(progress)
        return answer

    async def do(
        self,
        step: Callable[Concatenate[Connection, Book, P], Progress],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> None:
        """Run a step that has no answer, and act upon what it led to."""
        self._follow(await self._steps.run(step, *args, **kwargs))

    def do_beside(self, work: Coroutine[Any, Any, Any]) -> None:
        """Do something that no run depends on, until the scheduler is closed."""
        self._tasks.add(task := asyncio.create_task(work))
        task.add_done_callback(self._look_at_end)

    def check_token(self, token: str) -> TryKey:
        """Name the try of a token; Unauthorized for one that is none of ours, or has expired.

        Nobody is heard before the tries of a process that is gone are adopted: what follows from a
        report may be a start, which has to come after that.
        """
        if self._executor is None:
            raise NotLeading("the control plane is taking up what is under way. Ask again.")
        return self._tokens.check(token, self._clock())

    def take_report(self, token: str, told: Report) -> asyncio.Future[Acknowledgement]:
        """Make a report durable and start what follows; raises Unauthorized and Stale, now or when
        it is waited for.

        No coroutine: reports are the many, and a task for each takes longer than the rest of it.
        """
        now, began = self._clock(), time.perf_counter()
        key = self.check_token(token)
        if logger.isEnabledFor(logging.DEBUG):
            with about(key):
                logger.debug("a report came, with %d events", len(told["events"]))

        def go_on(found: tuple[Acknowledgement, Progress]) -> Acknowledgement:
            answer, progress = found
            self._follow(progress)
            if progress.dispatches:
                self._observer.decision(time.perf_counter() - began)
            fresh = self._tokens.renew(token, now)
            if fresh is not None:
                answer["token"] = fresh
            return answer

        return self._steps.begin(go_on, report.take_report, key, told, now)

    async def give_inputs(self, token: str) -> Inputs:
        """Look up the inputs of a try and what it declares; raises Unauthorized, Stale and
        SecretMissing."""
        key = self.check_token(token)
        task, inputs = await self._steps.run(report.give_inputs, key)
        if missing := find_missing(task, self._secrets):
            raise SecretMissing("\n".join(missing))
        variables = {**inputs["environment"], **find_secrets(task, self._secrets)}
        return Inputs({**inputs, "environment": variables})

    async def give_xcom(self, token: str, task_id: str, key: str, map_index: int) -> Pulled:
        """Look up what a task of the try's run left; raises Unauthorized and Stale."""
        try_key = self.check_token(token)
        return await self._steps.run(report.give_xcom, try_key, (task_id, key, map_index))

    @property
    def executor_trouble(self) -> str | None:
        """What keeps tries from being started; None if nothing is known to."""
        return None if self._executor is None else self._executor.trouble

    async def close(self) -> None:
        """Stop listening; what runs is the executor's to end or to leave."""
        # Whoever is heard now has to ask the next one, and nothing is taken up any more.
        self._executor = None
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._inline.close()

    def _resume_later(self) -> None:
        """Once the database is back, find out what of the last steps it has kept after all."""
        if self._resuming is None and self._executor is not None:
            self._resuming = self._spawn(self._resume())

    async def _resume(self) -> None:
        await self._steps.usable()
        # What fails from now on has to be looked at once more.
        self._resuming = None
        await self._recover(anew=False)

    async def _recover(self, *, anew: bool) -> None:
        gone, progress = await self._steps.persist(
            recovery.recover, frozenset(self._ours), self._clock(), anew=anew
        )
        self._follow(progress)
        lost = []
        for key in gone:
            if key not in self._ours:
                self._ours[key] = {}
                lost.append(Ended(key, Exit(None, reason=GONE, machinery=True)))
        if lost:
            self._spawn(self._close_tries(lost))

    def _follow(self, progress: Progress) -> None:
        if self._executor is None:
            # Closed: whoever comes next finds in the tables what is to be done.
            return
        for dispatch in progress.dispatches:
            self._dispatch(dispatch)
        for stop in progress.stops:
            self._spawn(self._stop(stop))
        for key in progress.over:
            self._spawn(self._executor.end_run(key))
        self._audience.tell(progress)
        self._timer.note(progress.next_due)
        self._inline.note(progress)
        self.bell.ring(progress.changed)

    def _count_containers(self) -> None:
        if self._executor is not None:
            running = self._executor.figures.running
            if self._executor.pods is None:
                self._observer.containers_running(running)
            else:
                self._observer.pods_running(running)

    def _dispatch(self, dispatch: Dispatch) -> None:
        key = dispatch.key
        if key in self._ours:
            return
        self._ours[key] = {}
        if dispatch.inline:
            self._inline.make(dispatch)
            return
        self._launching.add(key)
        self._spawn(self._launch(dispatch))

    async def _launch(self, dispatch: Dispatch) -> None:
        assert self._executor is not None
        key = dispatch.key
        try:
            with about(key):
                logger.debug("the try is started")
                launch = self._launcher.prepare(dispatch, self._executor, self._sayer(key))
                launch = launch._replace(is_heard=lambda: self._is_heard(key))
                if not self._database.surely_leads():
                    # Another process may have started it, seen its end and removed it meanwhile.
                    await self._steps.persist(recovery.find_open)
                self._ours[key] |= await self._executor.start(launch)
            self._count_containers()
        except LaunchFailed as error:
            with about(key):
                logger.info("the try could not be started: %s", error.reason)
            self._observer.launch_failed(transient=error.transient)
            await self._fail_launch(key, error.reason, transient=error.transient)
            self._forget(key)
        finally:
            self._launching.discard(key)
        if key in self._unwanted:
            self._unwanted.discard(key)
            await self._executor.stop(key, 0)

    async def _fail_launch(self, key: TryKey, reason: str, *, transient: bool = False) -> None:
        failure = (reason, transient)
        self._follow(await self._steps.persist(ending.fail_launch, key, failure, self._clock()))

    def _is_heard(self, key: TryKey) -> bool:
        held = self._book.tries.get(key)
        return held is None or held.agent_seen

    def _sayer(self, key: TryKey) -> Callable[[str], None]:
        """Give what takes lines for the log of a try."""

        def say(text: str) -> None:
            if self._executor is None:
                # Closed: nobody would wait for it, and an executor may still talk.
                return
            self._spawn(self._log(key, text + "\n"))

        return say

    async def _log(self, key: TryKey, text: str) -> None:
        self._follow(await self._steps.persist(ending.log_try, key, text, self._clock()))

    async def _take_ends(self, executor: Executor) -> None:
        while True:
            ended = await executor.ended()
            if not self._ended:
                # Whatever else has ended by then goes into the same step.
                asyncio.get_running_loop().call_soon(self._close_ended)
            self._ended.append(ended)

    def _close_ended(self) -> None:
        ended, self._ended = self._ended, []
        if self._executor is None:
            # Closed: whoever comes next finds that they are gone.
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
        self._count_containers()

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
        assert self._executor is not None
        key, executor = end.key, self._executor
        # Its last report may have been sent and not be read yet.
        await asyncio.sleep(self._book.settings.settle_seconds)
        left = (end.exit, await executor.log_tail(key), await executor.left_verdict(key))
        self._follow(await self._steps.persist(ending.settle, key, left, self._clock()))
        self._gone.put_nowait(key)

    async def _clear_up(self, executor: Executor) -> None:
        while True:
            key = await self._gone.get()
            await executor.remove(key)
            self._forget(key)

    async def _keep_time(self) -> None:
        while True:
            await self._timer.come_due()
            launching, advice = self._find_starting()
            now = self._clock()
            self._follow(await self._steps.persist(due.come_due, launching, now, advice))

    def _find_starting(self) -> tuple[frozenset[TryKey], str]:
        """Name the tries that an executor is at work on, and what to look at if one is not heard
        of although it is done."""
        pods = None if self._executor is None else self._executor.pods
        if pods is None:
            return frozenset(self._launching), ""
        seconds = self._book.settings.start_allowance_seconds
        return pods.starting(seconds) | self._launching, pods.advice

    async def _stop(self, stop: Stop) -> None:
        assert self._executor is not None
        if self._inline.stop(stop.key):
            return
        if stop.key in self._launching:
            self._unwanted.add(stop.key)
        await self._executor.stop(stop.key, stop.grace_seconds)

    def _forget(self, key: TryKey) -> None:
        self._ours.pop(key, None)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def _look_at_end(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            logger.warning("something that no run depends on failed", exc_info=task.exception())

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None and self.failure is None:
            self.failure = task.exception()
            self.failed.set()
            if not isinstance(self.failure, ControlPlaneError):
                logger.error("the scheduler cannot go on", exc_info=self.failure)
            self.bell.ring_all()


# Gives the seconds since the epoch.
wall_clock: Callable[[], float] = time.time
