"""The store as one SQLite file, which several processes of one machine may share."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.pool import NullPool

from leoflow_controlplane.database.fault import Displaced, TransactionGone
from leoflow_controlplane.error import Conflict

READERS = 4
_BUSY_MS = 30_000
_WRITER = (
    f"PRAGMA busy_timeout = {_BUSY_MS}",
    "PRAGMA journal_mode = WAL",
    # Acknowledged means durable, also when the power fails.
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
)
_READER = (f"PRAGMA busy_timeout = {_BUSY_MS}", "PRAGMA query_only = ON")

# The driver takes None and bool as they are, but only after it has looked for three ways to convert
# each of them, which takes longer than to store it. Both of these give what is stored anyway.
sqlite3.register_adapter(type(None), {None: None}.get)
sqlite3.register_adapter(bool, int)


class SqlitePlace:
    """One file; ``path`` need not exist yet."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.name = str(self.path)
        self.advice = "Check its disk and its permissions, or set LEOFLOW_HOME to another one."
        self.pulse_seconds: float | None = None
        self.leads_by_connection = False
        self._identity: tuple[int, int] | None = None
        self._leading: IO[str] | None = None

    def writing(self) -> Engine:
        """Make the writer's engine. While it is connected the file must stay where it is."""
        engine = create_engine(
            self._url("rw"),
            poolclass=NullPool,
            hide_parameters=True,
            # Those of groups of all sizes stay prepared.
            connect_args={"cached_statements": 512},
        )
        event.listen(engine, "connect", _preparer(_WRITER))
        # A transaction that first reads and then writes cannot wait for another process's lock.
        event.listen(
            engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE")
        )
        event.listen(engine, "connect", lambda *_: self._note_identity())
        return engine

    def reading(self) -> Engine:
        """Make the readers' engine."""
        engine = create_engine(
            self._url("ro"), pool_size=READERS, max_overflow=0, hide_parameters=True
        )
        event.listen(engine, "connect", _preparer(_READER))
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
        return engine

    @contextmanager
    def preparing(self, engine: Engine) -> Iterator[Connection]:
        """Hold a lock file: no timeout covers making tables and switching the journal."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.with_name(self.path.name + ".opening").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            # SQLite gives the files beside it the same mode.
            self.path.touch(mode=0o600)
            with engine.connect() as connection:
                yield connection

    def watched(self, connection: Connection) -> int | None:  # noqa: ARG002
        """Nothing tells of a file."""
        return None

    def check(self, connection: Connection) -> None:  # noqa: ARG002
        """Raise Displaced if the file is not there any more."""
        self.confirm()

    def vouch(self, connection: Connection) -> None:
        """Raise TransactionGone if SQLite ended the transaction, as it does on a full disk."""
        driver: Any = connection.connection.driver_connection
        if not driver.in_transaction:
            raise TransactionGone("SQLite rolled the transaction back")

    def confirm(self) -> None:
        """Raise Displaced if the file was removed or another one took its place.

        SQLite would go on writing to a file that nobody can open again.
        """
        if self._identity != _identify(self.path):
            raise Displaced("the file was removed or replaced while it was in use")

    def probe(self, connection: Connection) -> None:
        """Write the version number that is there."""
        with connection.begin():
            version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
            connection.exec_driver_sql(f"PRAGMA user_version = {int(version)}")

    def wait_to_lead(self, connection: Connection) -> None:  # noqa: ARG002
        """Hold a lock file; Conflict names the process that holds it already."""
        lock = self.path.with_name(self.path.name + ".server").open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            lock.close()
            raise Conflict(
                f"a server (process {holder}) runs on {self.path} already. Stop it, or give this "
                "one another database; several servers need PostgreSQL."
            ) from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        self._leading = lock

    def interrupt(self, connection: Connection) -> None:
        """Nothing waits here."""

    def stop_leading(self) -> None:
        """Let go of the lock file, which stays: removing it could take it from its next holder."""
        if self._leading is not None:
            self._leading.close()
            self._leading = None

    def _url(self, mode: str) -> URL:
        query = {"mode": mode, "uri": "true"}
        return URL.create("sqlite", database=f"file:{quote(str(self.path))}", query=query)

    def _note_identity(self) -> None:
        self._identity = _identify(self.path)


def _identify(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _preparer(pragmas: tuple[str, ...]) -> Any:
    def prepare(connection: Any, _record: Any) -> None:
        # The driver's own idea of when to begin would leave reads outside the transaction.
        connection.isolation_level = None
        for pragma in pragmas:
            connection.execute(pragma).close()

    return prepare
