"""The one thread with the one connection that writes. What waits at the same time shares a commit.

Loses nothing that it has acknowledged: whatever goes wrong, the memory is dropped, the callers
are told, and the connection is made anew until it works.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Any, NamedTuple, Protocol

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from leoflow_controlplane.database.fault import describe, is_fault, unusable
from leoflow_controlplane.database.group import (
    Committer,
    Memory,
    Operation,
    Outcome,
    find_fault,
    unwrap,
)
from leoflow_controlplane.database.inbox import Inbox
from leoflow_controlplane.database.migration import prepare, require_current
from leoflow_controlplane.database.place import Place
from leoflow_controlplane.error import DatabaseUnusable, NotLeading
from leoflow_controlplane.observer import Observer

# A group is short enough for its first member not to wait long for its last.
GROUP_LIMIT = 1000
# Sessions of a process that is stopped are ended after six seconds: see ``postgresql``.
SURE_SECONDS = 4.0
# After a group of so many the next one is let gather, unless that has so many already.
BUSY, LARGE = 16, 100
GATHERING_SECONDS = 0.005
_BACKOFF_SECONDS = (0.0, 0.1, 0.2, 0.5, 1.0, 2.0)


class Watcher(Protocol):
    """Who is told what becomes of the writer. Called in the event loop."""

    def note(self, trouble: str | None) -> None:
        """Nothing can be written because of ``trouble``; None: it is over."""
        ...

    def note_lost(self) -> None:
        """This process does not lead any more."""
        ...


class _Step(NamedTuple):
    operation: Operation
    done: asyncio.Future[Any]
    # Not to be run before this process leads.
    leads: bool
    # Makes of the outcome what ``done`` is to hold.
    then: Callable[[Outcome], Any]


_End = tuple[asyncio.Future[Any], Callable[[Outcome], Any], Outcome]


class Writer:
    """Its methods are for the event loop; what begins with an underscore runs in its thread."""

    def __init__(
        self,
        place: Place,
        memory: Memory,
        loop: asyncio.AbstractEventLoop,
        watcher: Watcher,
        observer: Observer,
    ) -> None:
        self._place = place
        self._memory = memory
        self._loop = loop
        self._watcher = watcher
        self._observer = observer
        self._inbox: Inbox[_Step] = Inbox()
        self._engine: Engine | None = None
        self._connection: Connection | None = None
        self._committer: Committer | None = None
        self._fault: BaseException | None = None
        self._failures = 0
        self._retry_at = 0.0
        self._leading = self._fenced = False
        self._heard_at = -SURE_SECONDS
        # How many the last group was of.
        self._taken = 0
        self._waiting: Connection | None = None
        self._thread = threading.Thread(target=self._work, name="leoflow-database", daemon=True)
        self._opened: asyncio.Future[None] = loop.create_future()

    def surely_leads(self) -> bool:
        """Say whether nobody else can lead, as far as it goes with a connection: the database was
        heard a moment ago. A process that was stopped does not know for how long."""
        if not self._place.leads_by_connection:
            return True
        return self._leading and time.monotonic() < self._heard_at + SURE_SECONDS

    async def open(self) -> None:
        """Make or upgrade the tables and connect; DatabaseUnusable says why that is impossible."""
        self._thread.start()
        try:
            await self._opened
        except BaseException:
            await self.close()
            raise

    def submit(
        self,
        operation: Operation,
        *,
        leads: bool = False,
        patient: bool = False,
        then: Callable[[Outcome], Any] = unwrap,
    ) -> asyncio.Future[Any]:
        """Have ``operation`` run; its result is there when it is durable.

        ``then`` makes something else of the outcome, in the event loop and before anybody who
        waits goes on; it is called even if nobody waits any more.

        With ``leads`` it waits until no other process leads, and everything behind it waits too.
        A ``patient`` one lets those pass that are not.
        """
        if self._inbox.closed:
            raise DatabaseUnusable(f"{self._place.name} was closed: this process is about to end.")
        done: asyncio.Future[Any] = self._loop.create_future()
        self._inbox.put(_Step(operation, done, leads, then), patient=patient)
        return done

    async def close(self) -> None:
        """Finish what waits, then disconnect."""
        if self._inbox.closed:
            return
        self._inbox.close()
        connection = self._waiting
        if connection is not None:
            self._place.interrupt(connection)
        if self._thread.ident is not None:
            await self._loop.run_in_executor(None, self._thread.join)
        self._inbox.dispose()

    def _work(self) -> None:
        try:
            self._engine = self._place.writing()
            prepare(self._engine, self._place)
            self._connect()
        except BaseException as error:
            self._settle([(self._opened, unwrap, Outcome(None, self._told(error)))])
            return
        self._settle([(self._opened, unwrap, Outcome(None, None))])
        while (steps := self._next()) is not None:
            self._tend(idle=not steps)
            for group in _split(steps):
                self._serve(group)
        self._disconnect()
        self._place.stop_leading()

    def _next(self) -> list[_Step] | None:
        if not self._inbox.closed and (pause := pause_before(self._taken, len(self._inbox))):
            time.sleep(pause)
        steps = self._take()
        self._taken = len(steps or ())
        return steps

    def _take(self) -> list[_Step] | None:
        if self._connection is None:
            return self._inbox.take(GROUP_LIMIT, max(0.0, self._retry_at - time.monotonic()), None)
        watched = self._place.watched(self._connection)
        return self._inbox.take(GROUP_LIMIT, self._place.pulse_seconds, watched)

    def _tend(self, *, idle: bool) -> None:
        """Look at the connection when woken without work; make it anew when that is due."""
        try:
            if self._connection is not None:
                if idle:
                    began = time.monotonic()
                    self._place.check(self._connection)
                    self._heard_at = began
            elif time.monotonic() >= self._retry_at:
                self._connect()
                self._fault, self._failures = None, 0
                self._tell(self._watcher.note, None)
        except BaseException as error:
            self._fall(error)

    def _serve(self, steps: list[_Step]) -> None:
        began = time.monotonic()
        outcomes = self._run(steps)
        fault = find_fault(outcomes)
        if fault is None and not self._fenced:
            self._heard_at = began
        if fault is not None:
            if self._connection is not None:
                self._fall(fault)
            told = Outcome(None, self._told(fault))
            outcomes = [told if outcome.error is fault else outcome for outcome in outcomes]
        self._settle([(step.done, step.then, o) for step, o in zip(steps, outcomes, strict=True)])

    def _run(self, steps: list[_Step]) -> list[Outcome]:
        if self._fault is not None:
            return [Outcome(None, self._fault)] * len(steps)
        assert self._committer is not None
        try:
            if steps[0].leads:
                self._lead()
            elif self._fenced:
                raise NotLeading("this process does not lead any more, so it may not write")
        except BaseException as error:
            return [Outcome(None, error)] * len(steps)
        return self._committer.run([step.operation for step in steps])

    def _lead(self) -> None:
        assert self._connection is not None
        self._fenced = self._place.leads_by_connection
        self._waiting = self._connection
        try:
            # Whoever closes the inbox after this line sees that there is a wait to interrupt.
            if not self._inbox.closed:
                self._place.wait_to_lead(self._connection)
        finally:
            self._waiting = None
        if self._inbox.closed:
            raise NotLeading("the database was closed before this process came to lead")
        self._leading, self._fenced = True, False

    def _connect(self) -> None:
        assert self._engine is not None
        connection = self._engine.connect()
        try:
            require_current(connection, self._place)
            if self._failures:
                self._place.probe(connection)
        except BaseException:
            connection.invalidate()
            connection.close()
            raise
        self._connection = connection
        self._committer = Committer(connection, self._memory, self._place, self._observer)

    def _disconnect(self) -> None:
        connection, self._connection, self._committer = self._connection, None, None
        if connection is not None:
            # Not asked to roll back: it may be broken, or hang.
            connection.invalidate()
            connection.close()

    def _fall(self, fault: BaseException) -> None:
        self._fault = fault
        self._observer.database_failed()
        self._memory.forget()
        self._disconnect()
        pause = _BACKOFF_SECONDS[min(self._failures, len(_BACKOFF_SECONDS) - 1)]
        self._failures += 1
        self._retry_at = time.monotonic() + pause
        self._tell(self._watcher.note, describe(fault))
        if self._leading and self._place.leads_by_connection:
            # Steps may be waiting that were submitted while this process led.
            self._leading, self._fenced = False, True
            self._tell(self._watcher.note_lost)

    def _told(self, error: BaseException) -> BaseException:
        if not is_fault(error) and not isinstance(error, DBAPIError | OSError):
            return error
        return unusable(self._place.name, error, self._place.advice)

    def _settle(self, ends: list[_End]) -> None:
        self._tell(_deliver, ends)

    def _tell(self, listener: Callable[..., None], *words: Any) -> None:
        # A loop that is closed has nobody left who could want to know.
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(listener, *words)


def pause_before(taken: int, waiting: int) -> float:
    """Give the seconds that a group waits for more, after one of ``taken`` and with ``waiting``.

    What comes with each group takes as long as ten tasks do, and all of a group share that. Few
    are never kept waiting.
    """
    return GATHERING_SECONDS if taken >= BUSY and waiting < LARGE else 0.0


def _split(steps: list[_Step]) -> Iterator[list[_Step]]:
    """Group the steps such that whoever is to lead first has a group of its own."""
    if not any(step.leads for step in steps):
        if steps:
            yield steps
        return
    for leads, group in groupby(steps, lambda step: step.leads):
        members = list(group)
        yield from ([member] for member in members) if leads else [members]


def _deliver(ends: list[_End]) -> None:
    for future, then, outcome in ends:
        try:
            value = then(outcome)
        except BaseException as error:
            if not future.cancelled():
                future.set_exception(error)
        else:
            if not future.cancelled():
                future.set_result(value)
