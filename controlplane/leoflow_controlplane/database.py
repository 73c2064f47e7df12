"""Open the state file and run short transactions on it, many to one commit. Holds no SQL of its own
beyond the settings of the connection; knows nothing of what the transactions do.
"""

from __future__ import annotations

import asyncio
import fcntl
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Concatenate, NamedTuple, ParamSpec, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlalchemy.pool import NullPool

from leoflow_controlplane.error import DatabaseUnusable
from leoflow_controlplane.schema import SCHEMA_VERSION, metadata

P = ParamSpec("P")
T = TypeVar("T")

_PRAGMAS = (
    "PRAGMA busy_timeout = 30000",
    "PRAGMA journal_mode = WAL",
    # Acknowledged means durable, also when the power fails.
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
)


class _Step(NamedTuple):
    operation: Callable[[Connection], Any]
    done: asyncio.Future[Any]


class Database:
    """Runs operations on one connection in one thread.

    Operations that wait at the same time share a commit; each of them is atomic by itself. An
    operation must be quick and must not keep the connection.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._steps: queue.SimpleQueue[_Step | None] = queue.SimpleQueue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._work, name="leoflow-database", daemon=True)
        self._ready: asyncio.Future[None] | None = None

    async def open(self) -> None:
        """Open the file, making it if there is none; DatabaseUnusable says why it cannot be."""
        self._loop = asyncio.get_running_loop()
        self._ready = self._loop.create_future()
        self._thread.start()
        await self._ready

    async def run(
        self, operation: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run ``operation(connection, …)`` in a transaction; return once it is durable.

        The operation completes even if the caller is cancelled meanwhile. What it raises is
        raised here, and then nothing of it remains.
        """
        assert self._loop is not None, "open() comes first"
        done: asyncio.Future[T] = self._loop.create_future()
        self._steps.put(_Step(lambda connection: operation(connection, *args, **kwargs), done))
        return await done

    async def close(self) -> None:
        """Finish what waits, then close the file."""
        self._steps.put(None)
        if self._thread.ident is not None:
            await asyncio.get_running_loop().run_in_executor(None, self._thread.join)

    def _work(self) -> None:
        assert self._ready is not None
        try:
            engine = open_engine(self._path)
            connection = engine.connect()
        except BaseException as error:
            self._resolve(self._ready, None, _unusable(self._path, error))
            return
        self._resolve(self._ready, None, None)
        try:
            while steps := self._next_steps():
                self._commit_together(connection, steps)
        finally:
            connection.close()
            engine.dispose()

    def _next_steps(self) -> list[_Step]:
        """Wait for one step and take all others that wait; empty when there will be no more."""
        step = self._steps.get()
        steps = []
        while step is not None:
            steps.append(step)
            try:
                step = self._steps.get_nowait()
            except queue.Empty:
                return steps
        if steps:
            self._steps.put(None)
        return steps

    def _commit_together(self, connection: Connection, steps: list[_Step]) -> None:
        outcomes: list[tuple[Any, BaseException | None]] = []
        try:
            with connection.begin():
                outcomes = [_attempt(connection, step.operation) for step in steps]
        except Exception as failure:
            outcomes = [(None, failure)] * len(steps)
        for step, (value, error) in zip(steps, outcomes, strict=True):
            full = isinstance(error, OperationalError)
            self._resolve(step.done, value, _unusable(self._path, error) if full else error)

    def _resolve(
        self, future: asyncio.Future[Any], value: Any, error: BaseException | None
    ) -> None:
        assert self._loop is not None
        # A loop that is closed has nobody left who could want to know.
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(_settle, future, value, error)


def open_engine(path: Path) -> Engine:
    """Open the SQLite file at ``path``; make its tables if it is new, refuse other versions."""
    path.parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
    event.listen(engine, "connect", _prepare_connection)
    event.listen(engine, "begin", _begin)
    with _sole_opener(path):
        _check_version(engine, path)
    return engine


def _prepare_connection(connection: Any, _record: Any) -> None:
    # The driver's own idea of when to begin would leave reads outside the transaction.
    connection.isolation_level = None
    for pragma in _PRAGMAS:
        connection.execute(pragma).close()


def _begin(connection: Connection) -> None:
    # A transaction that first reads and then writes cannot wait for another process's lock.
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _check_version(engine: Engine, path: Path) -> None:
    with engine.begin() as connection:
        version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
        if version == 0:
            metadata.create_all(connection)
            connection.exec_driver_sql(f"PRAGMA user_version = {SCHEMA_VERSION}")
        elif version != SCHEMA_VERSION:
            age = "a newer" if version > SCHEMA_VERSION else "an older"
            raise DatabaseUnusable(
                f"{path} was written by {age} version of leoflow (schema '{version}', this one "
                f"reads '{SCHEMA_VERSION}'). Use that version, or set LEOFLOW_HOME to a new folder."
            )


@contextmanager
def _sole_opener(path: Path) -> Iterator[None]:
    """Let one process at a time make tables and switch the journal, which no timeout covers."""
    with path.with_name(path.name + ".opening").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _attempt(
    connection: Connection, operation: Callable[[Connection], Any]
) -> tuple[Any, BaseException | None]:
    # SQLAlchemy's own savepoints are compiled anew each time, which takes longer than a query.
    connection.exec_driver_sql("SAVEPOINT step")
    try:
        value = operation(connection)
    except Exception as error:
        # On a full disk SQLite rolls back all, the savepoint and the steps before this one too.
        if not _is_in_transaction(connection):
            raise
        connection.exec_driver_sql("ROLLBACK TO step")
        return None, error
    connection.exec_driver_sql("RELEASE step")
    return value, None


def _is_in_transaction(connection: Connection) -> bool:
    driver: Any = connection.connection.driver_connection
    return bool(driver.in_transaction)


def _settle(future: asyncio.Future[Any], value: Any, error: BaseException | None) -> None:
    if future.cancelled():
        return
    if error is None:
        future.set_result(value)
    else:
        future.set_exception(error)


def _unusable(path: Path, error: BaseException | None) -> BaseException | None:
    if isinstance(error, DatabaseError | OSError):
        return DatabaseUnusable(
            f"{path} cannot be used as the state file: {getattr(error, 'orig', error)}. "
            "Check its disk and its permissions, or set LEOFLOW_HOME to another folder."
        )
    return error
