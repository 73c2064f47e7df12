"""The writer's one connection: made anew until it works, and what this process leads by.

Knows neither who waits for a step nor how many share a commit.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from leoflow_controlplane.database.fault import describe, is_fault, unusable
from leoflow_controlplane.database.group import Committer, Memory, Operation, Outcome, find_fault
from leoflow_controlplane.database.migration import prepare, require_current
from leoflow_controlplane.database.place import Place
from leoflow_controlplane.error import NotLeading
from leoflow_controlplane.observer import Observer

# Sessions of a process that is stopped are ended after six seconds: see ``postgresql``.
SURE_SECONDS = 4.0
_BACKOFF_SECONDS = (0.0, 0.1, 0.2, 0.5, 1.0, 2.0)


class Link:
    """For the writer's thread, but for `surely_leads` and `stop_waiting`.

    ``note`` is told why nothing can be written, None: it is over; ``note_lost`` that this process
    does not lead any more.
    """

    def __init__(
        self,
        place: Place,
        memory: Memory,
        observer: Observer,
        note: Callable[[str | None], None],
        note_lost: Callable[[], None],
    ) -> None:
        self._place = place
        self._memory = memory
        self._observer = observer
        self._note = note
        self._note_lost = note_lost
        self._engine: Engine | None = None
        self._connection: Connection | None = None
        self._committer: Committer | None = None
        self._fault: BaseException | None = None
        self._failures = 0
        self._retry_at = 0.0
        self._leading = self._fenced = False
        self._heard_at = -SURE_SECONDS
        self._waiting: Connection | None = None
        self._stopped = False

    def surely_leads(self) -> bool:
        """Say whether nobody else can lead, as far as it goes with a connection: the database was
        heard a moment ago. A process that was stopped does not know for how long."""
        if not self._place.leads_by_connection:
            return True
        return self._leading and time.monotonic() < self._heard_at + SURE_SECONDS

    def stop_waiting(self) -> None:
        """End a wait to lead, and have none begin any more."""
        self._stopped = True
        connection = self._waiting
        if connection is not None:
            self._place.interrupt(connection)

    def open(self) -> None:
        """Make or upgrade the tables and connect; DatabaseUnusable says why that is impossible."""
        try:
            self._engine = self._place.writing()
            prepare(self._engine, self._place)
            self._connect()
        except BaseException as error:
            told = self._told(error)
            if told is error:
                raise
            raise told from error

    def rest(self) -> tuple[float | None, int | None]:
        """Give how many seconds it may be left alone, None: as long as one likes, and the file
        descriptor that tells earlier, if any."""
        if self._connection is None:
            return max(0.0, self._retry_at - time.monotonic()), None
        return self._place.pulse_seconds, self._place.watched(self._connection)

    def tend(self, *, idle: bool) -> None:
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
                self._note(None)
        except BaseException as error:
            self._fall(error)

    def run(self, steps: Sequence[Operation], *, leads: bool) -> list[Outcome]:
        """Run steps in one transaction; give an outcome for each once it is durable.

        With ``leads``, after no other process leads any more.
        """
        began = time.monotonic()
        outcomes = self._run(steps, leads=leads)
        fault = find_fault(outcomes)
        if fault is None:
            if not self._fenced:
                self._heard_at = began
            return outcomes
        if self._connection is not None:
            self._fall(fault)
        told = Outcome(None, self._told(fault))
        return [told if outcome.error is fault else outcome for outcome in outcomes]

    def close(self) -> None:
        """Disconnect, and let another process lead."""
        self._disconnect()
        self._place.stop_leading()

    def _run(self, steps: Sequence[Operation], *, leads: bool) -> list[Outcome]:
        if self._fault is not None:
            return [Outcome(None, self._fault)] * len(steps)
        assert self._committer is not None
        try:
            if leads:
                self._lead()
            elif self._fenced:
                raise NotLeading("this process does not lead any more, so it may not write")
        except BaseException as error:
            return [Outcome(None, error)] * len(steps)
        return self._committer.run(steps)

    def _lead(self) -> None:
        assert self._connection is not None
        self._fenced = self._place.leads_by_connection
        self._waiting = self._connection
        try:
            # Whoever stops it after this line sees that there is a wait to interrupt.
            if not self._stopped:
                self._place.wait_to_lead(self._connection)
        finally:
            self._waiting = None
        if self._stopped:
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
        self._note(describe(fault))
        if self._leading and self._place.leads_by_connection:
            # Steps may be waiting that were submitted while this process led.
            self._leading, self._fenced = False, True
            self._note_lost()

    def _told(self, error: BaseException) -> BaseException:
        if not is_fault(error) and not isinstance(error, DBAPIError | OSError):
            return error
        return unusable(self._place.name, error, self._place.advice)
