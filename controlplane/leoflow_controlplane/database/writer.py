"""The one thread that writes. What waits at the same time shares a commit.

Loses nothing that it has acknowledged: whatever goes wrong, the memory is dropped and the callers
are told. Its connection is the link's.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import groupby
from typing import Any, NamedTuple, Protocol

from leoflow_controlplane.database.group import Memory, Operation, Outcome, unwrap
from leoflow_controlplane.database.inbox import Inbox
from leoflow_controlplane.database.link import Link
from leoflow_controlplane.database.place import Place
from leoflow_controlplane.error import DatabaseUnusable
from leoflow_controlplane.observer import Observer

# A group is short enough for its first member not to wait long for its last.
GROUP_LIMIT = 1000
# After a group of so many the next one is let gather, unless that has so many already.
BUSY, LARGE = 16, 100
GATHERING_SECONDS = 0.005


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
        self._loop = loop
        self._link = Link(
            place,
            memory,
            observer,
            partial(self._tell, watcher.note),
            partial(self._tell, watcher.note_lost),
        )
        self._inbox: Inbox[_Step] = Inbox()
        # How many the last group was of.
        self._taken = 0
        self._thread = threading.Thread(target=self._work, name="leoflow-database", daemon=True)
        self._opened: asyncio.Future[None] = loop.create_future()

    def surely_leads(self) -> bool:
        """Say whether nobody else can lead at this moment; if not, a step will tell."""
        return self._link.surely_leads()

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
        self._link.stop_waiting()
        if self._thread.ident is not None:
            await self._loop.run_in_executor(None, self._thread.join)
        self._inbox.dispose()

    def _work(self) -> None:
        try:
            self._link.open()
        except BaseException as error:
            self._settle([(self._opened, unwrap, Outcome(None, error))])
            return
        self._settle([(self._opened, unwrap, Outcome(None, None))])
        while (steps := self._next()) is not None:
            self._link.tend(idle=not steps)
            for group in _split(steps):
                self._serve(group)
        self._link.close()

    def _next(self) -> list[_Step] | None:
        if not self._inbox.closed and (pause := pause_before(self._taken, len(self._inbox))):
            time.sleep(pause)
        steps = self._inbox.take(GROUP_LIMIT, *self._link.rest())
        self._taken = len(steps or ())
        return steps

    def _serve(self, steps: list[_Step]) -> None:
        outcomes = self._link.run([step.operation for step in steps], leads=steps[0].leads)
        self._settle([(step.done, step.then, o) for step, o in zip(steps, outcomes, strict=True)])

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
