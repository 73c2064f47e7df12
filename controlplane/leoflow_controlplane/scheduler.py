"""The loop that has no tick: what happened is committed, and what follows from it starts at once.

Decides nothing; that is done in ``steps``. What becomes of a try in an executor is seen to in
``tries``.
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
from leoflow_controlplane.book.book import Book
from leoflow_controlplane.book.progress import Progress, Stop
from leoflow_controlplane.database import Database
from leoflow_controlplane.error import ControlPlaneError, NotLeading, SecretMissing
from leoflow_controlplane.executor.protocol import Executor
from leoflow_controlplane.inlinecalls import InlineCalls
from leoflow_controlplane.launching import Launcher
from leoflow_controlplane.logcontext import about
from leoflow_controlplane.model import TryKey
from leoflow_controlplane.secretsource import SecretSource, find_missing, find_secrets
from leoflow_controlplane.stepper import Stepper
from leoflow_controlplane.steps import calling, due, ending, recovery, report
from leoflow_controlplane.timer import Timer
from leoflow_controlplane.tries import Tries
from leoflow_controlplane.trytoken import TryTokens

P = ParamSpec("P")
T = TypeVar("T")

# A thousand inline calls may begin or end at once, and agents must not wait for all of them.
_PATIENT: frozenset[Callable[..., Any]] = frozenset({calling.move_calls, ending.log_try})

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
        # None before `start` and after `close`.
        self._tries: Tries | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._resuming: asyncio.Task[None] | None = None

    async def start(self, executor: Executor) -> None:
        """Take up what was left under way, and listen to ``executor`` and to the clock."""
        found = await self._database.run(recovery.find_open, self._book)
        adopted = await executor.adopt(found.tries, found.runs)
        self._tries = tries = Tries(
            executor,
            self._steps,
            self._launcher,
            self._clock,
            self._observer,
            self._follow,
            self._spawn,
        )
        tries.listen(adopted)
        self._spawn(self._keep_time(tries))
        self._spawn(self._inline.run(self._follow, tries.forget))
        await self._recover(tries, anew=True)
        tries.count()

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
        if self._tries is None:
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
        """Look up the inputs of a try and what it declares; raises Unauthorized, Stale,
        SecretMissing, and Refused if it cannot have any any more."""
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
        return None if self._tries is None else self._tries.executor.trouble

    async def close(self) -> None:
        """Stop listening; what runs is the executor's to end or to leave."""
        # Whoever is heard now has to ask the next one, and nothing is taken up any more.
        if self._tries is not None:
            self._tries.close()
            self._tries = None
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._inline.close()

    def _resume_later(self) -> None:
        """Once the database is back, find out what of the last steps it has kept after all."""
        if self._resuming is None and self._tries is not None:
            self._resuming = self._spawn(self._resume(self._tries))

    async def _resume(self, tries: Tries) -> None:
        await self._steps.usable()
        # What fails from now on has to be looked at once more.
        self._resuming = None
        await self._recover(tries, anew=False)
        # A run may have ended in a step that was kept and that nobody was told of.
        self.bell.ring_all()

    async def _recover(self, tries: Tries, *, anew: bool) -> None:
        gone, progress = await self._steps.persist(
            recovery.recover, tries.keys, self._clock(), anew=anew
        )
        self._follow(progress)
        tries.give_up(gone)

    def _follow(self, progress: Progress) -> None:
        tries = self._tries
        if tries is None:
            # Closed: whoever comes next finds in the tables what is to be done.
            return
        for dispatch in progress.dispatches:
            if not dispatch.inline:
                tries.launch(dispatch)
            elif tries.hold(dispatch.key):
                self._inline.make(dispatch)
        for stop in progress.stops:
            self._spawn(self._stop(tries, stop))
        for key in progress.over:
            self._spawn(tries.executor.end_run(key))
        self._audience.tell(progress)
        self._timer.note(progress.next_due)
        self._inline.note(progress)
        self.bell.ring(progress.changed)

    async def _stop(self, tries: Tries, stop: Stop) -> None:
        if not self._inline.stop(stop.key):
            await tries.stop(stop)

    async def _keep_time(self, tries: Tries) -> None:
        while True:
            await self._timer.come_due()
            launching, advice = tries.find_starting()
            now = self._clock()
            self._follow(await self._steps.persist(due.come_due, launching, now, advice))

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
