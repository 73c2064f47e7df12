"""Several steps in one transaction, and what becomes of the others when one fails. No threads."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, Protocol

from sqlalchemy import Connection, event
from sqlalchemy.exc import DBAPIError

from leoflow_controlplane.database.fault import ConnectionGone, is_fault
from leoflow_controlplane.database.place import Place
from leoflow_controlplane.observer import Observer


class Memory(Protocol):
    """What steps change instead of rows. Used by the writer thread alone."""

    @property
    def size(self) -> int:
        """How many changes were made since the last flush."""
        ...

    def flush(self, connection: Connection) -> None:
        """Write all changes as rows."""
        ...

    def forget(self) -> None:
        """Drop everything: the rows are what is true, and are read again when needed."""
        ...


class Outcome(NamedTuple):
    """What a step returned or raised."""

    value: Any
    error: BaseException | None


def unwrap(outcome: Outcome) -> Any:
    """Return what a step returned, or raise what it raised."""
    if outcome.error is not None:
        raise outcome.error
    return outcome.value


Operation = Callable[[Connection], Any]


class Committer:
    """Runs steps on one connection, with one memory."""

    def __init__(
        self, connection: Connection, memory: Memory, place: Place, observer: Observer
    ) -> None:
        self._observer = observer
        self._connection = connection
        self._memory = memory
        self._place = place
        self._written = False
        event.listen(connection, "before_cursor_execute", self._note_statement)

    def run(self, steps: Sequence[Operation]) -> list[Outcome]:
        """Run the steps in order; give an outcome for each once it is durable.

        Each is atomic by itself. One that raises after it changed anything ends the transaction:
        then all are run again, each on its own. A fault of the database (see `is_fault`) is the
        outcome of every step that is not durable.
        """
        try:
            return self._commit(steps)
        except BaseException as error:
            if len(steps) == 1 or is_fault(error):
                return [Outcome(None, error)] * len(steps)
        outcomes: list[Outcome] = []
        for step in steps:
            fault = find_fault(outcomes[-1:])
            outcomes += [Outcome(None, fault)] if fault else self.run([step])
        return outcomes

    def _commit(self, steps: Sequence[Operation]) -> list[Outcome]:
        began = time.perf_counter()
        transaction = self._connection.begin()
        try:
            outcomes = [self._attempt(step) for step in steps]
            if self._memory.size:
                self._memory.flush(self._connection)
            self._place.vouch(self._connection)
            transaction.commit()
            self._place.confirm()
        except BaseException as error:
            self._memory.forget()
            # A connection that broke has rolled back by itself.
            with suppress(DBAPIError):
                if transaction.is_active:
                    transaction.rollback()
            if self._connection.invalidated and not is_fault(error):
                raise ConnectionGone("it was lost while a step was taken back") from error
            raise
        self._observer.committed(time.perf_counter() - began, len(steps))
        return outcomes

    def _attempt(self, step: Operation) -> Outcome:
        size, self._written = self._memory.size, False
        try:
            return Outcome(step(self._connection), None)
        except BaseException as error:
            # PostgreSQL refuses all that follows an error in the same transaction.
            if self._written or self._memory.size != size or isinstance(error, DBAPIError):
                raise
            return Outcome(None, error)

    def _note_statement(self, _connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        self._written = self._written or not statement.lstrip().startswith("SELECT")


def find_fault(outcomes: Sequence[Outcome]) -> BaseException | None:
    """Give the fault of the database that is among the outcomes, if there is one."""
    return next((o.error for o in outcomes if o.error is not None and is_fault(o.error)), None)
