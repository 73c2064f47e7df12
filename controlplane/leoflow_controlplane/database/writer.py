"""The one thread with the one connection that writes. What waits at the same time shares a commit.

Loses nothing that it has acknowledged: whatever goes wrong, the memory is dropped, the callers
are told, and the connection is made anew until it works.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine

from leoflow_controlplane.database.fault import describe, unusable
from leoflow_controlplane.database.group import Committer, Memory, Operation, Outcome, find_fault
from leoflow_controlplane.database.inbox import Inbox
from leoflow_controlplane.database.migration import prepare, require_current
from leoflow_controlplane.database.place import Place

# A group is short enough for its first member not to wait long for its last.
GROUP_LIMIT = 1000
_BACKOFF_SECONDS = (0.0, 0.1, 0.2, 0.5, 1.0, 2.0)


class _Step(NamedTuple):
    operation: Operation
    done: asyncio.Future[Any]


class Writer:
    """``on_trouble`` is called in its thread with what is wrong, or None when it is over."""

    def __init__(
        self,
        place: Place,
        memory: Memory,
        loop: asyncio.AbstractEventLoop,
        on_trouble: Callable[[str | None], None],
    ) -> None:
        self._place = place
        self._memory = memory
        self._loop = loop
        self._on_trouble = on_trouble
        self._inbox: Inbox[_Step] = Inbox()
        self._engine: Engine | None = None
        self._connection: Connection | None = None
        self._committer: Committer | None = None
        self._fault: BaseException | None = None
        self._failures = 0
        self._retry_at = 0.0
        self._thread = threading.Thread(target=self._work, name="leoflow-database", daemon=True)
        self._opened: asyncio.Future[None] = loop.create_future()

    async def open(self) -> None:
        """Make or upgrade the tables and connect; DatabaseUnusable says why that is impossible."""
        self._thread.start()
        await self._opened

    def submit(self, operation: Operation) -> asyncio.Future[Any]:
        """Have ``operation`` run; the result is there when it is durable."""
        done: asyncio.Future[Any] = self._loop.create_future()
        self._inbox.put(_Step(operation, done))
        return done

    async def close(self) -> None:
        """Finish what waits, then disconnect."""
        self._inbox.close()
        if self._thread.ident is not None:
            await self._loop.run_in_executor(None, self._thread.join)

    def _work(self) -> None:
        try:
            self._engine = self._place.writing()
            prepare(self._engine, self._place)
            self._connect()
        except BaseException as error:
            self._settle([(self._opened, Outcome(None, self._told(error)))])
            return
        self._settle([(self._opened, Outcome(None, None))])
        while (steps := self._next()) is not None:
            self._tend(idle=not steps)
            if steps:
                self._serve(steps)
        self._disconnect()

    def _next(self) -> list[_Step] | None:
        if self._connection is None:
            return self._inbox.take(GROUP_LIMIT, max(0.0, self._retry_at - time.monotonic()), None)
        return self._inbox.take(GROUP_LIMIT, None, self._place.watched(self._connection))

    def _tend(self, *, idle: bool) -> None:
        """Look at the connection when woken without work; make it anew when that is due."""
        try:
            if self._connection is not None:
                if idle:
                    self._place.check(self._connection)
            elif time.monotonic() >= self._retry_at:
                self._connect()
                self._fault, self._failures = None, 0
                self._on_trouble(None)
        except BaseException as error:
            self._fall(error)

    def _serve(self, steps: list[_Step]) -> None:
        if self._committer is None:
            assert self._fault is not None
            outcomes = [Outcome(None, self._told(self._fault))] * len(steps)
        else:
            outcomes = self._committer.run([step.operation for step in steps])
            fault = find_fault(outcomes)
            if fault is not None:
                self._fall(fault)
                told = Outcome(None, self._told(fault))
                outcomes = [told if outcome.error is fault else outcome for outcome in outcomes]
        self._settle([(step.done, o) for step, o in zip(steps, outcomes, strict=True)])

    def _connect(self) -> None:
        assert self._engine is not None
        connection = self._engine.connect()
        try:
            require_current(connection, self._place)
            self._place.probe(connection)
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        self._committer = Committer(connection, self._memory, self._place)

    def _disconnect(self) -> None:
        connection, self._connection, self._committer = self._connection, None, None
        if connection is not None:
            # Not given back to a pool, and not asked to roll back: it may hang or be broken.
            connection.invalidate()
            connection.close()

    def _fall(self, fault: BaseException) -> None:
        self._fault = fault
        self._memory.forget()
        self._disconnect()
        pause = _BACKOFF_SECONDS[min(self._failures, len(_BACKOFF_SECONDS) - 1)]
        self._failures += 1
        self._retry_at = time.monotonic() + pause
        self._on_trouble(describe(fault))

    def _told(self, error: BaseException) -> BaseException:
        return unusable(self._place.name, error, self._place.advice)

    def _settle(self, outcomes: list[tuple[asyncio.Future[Any], Outcome]]) -> None:
        # A loop that is closed has nobody left who could want to know.
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(_deliver, outcomes)


def _deliver(outcomes: list[tuple[asyncio.Future[Any], Outcome]]) -> None:
    for future, (value, error) in outcomes:
        if future.cancelled():
            continue
        if error is None:
            future.set_result(value)
        else:
            future.set_exception(error)
