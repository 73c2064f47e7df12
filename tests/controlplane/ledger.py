"""A memory as simple as can be, for tests of the database: names, one row of `variables` each."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from leoflow_controlplane.database import Database
from leoflow_controlplane.schema import variables
from leoflow_controlplane.store.bulk import Upsert
from sqlalchemy import Connection, insert, select

_INSERT = insert(variables)
# As a book writes what comes with every report: past SQLAlchemy.
_VARIABLES = Upsert(variables, ("name", "value", "changed_at"))
_NAMES = select(variables.c.name).order_by(variables.c.changed_at, variables.c.name)


class Ledger:
    """Implements Memory. ``flushes`` are the groups that were written, ``forgotten`` how often."""

    def __init__(self) -> None:
        self.pending: list[str] = []
        self.flushes: list[list[str]] = []
        self.forgotten = 0

    @property
    def size(self) -> int:
        return len(self.pending)

    def flush(self, connection: Connection) -> None:
        self.flushes.append(self.pending)
        first = sum(map(len, self.flushes))
        rows = [(name, b"", first + offset) for offset, name in enumerate(self.pending)]
        _VARIABLES.write(connection, rows)
        self.pending = []

    def forget(self) -> None:
        self.pending = []
        self.forgotten += 1

    def add(self, _: Connection, name: str) -> str:
        """Remember ``name``; a step."""
        self.pending.append(name)
        return name

    def add_and_fail(self, connection: Connection, name: str) -> str:
        """Remember ``name``, then raise; a step."""
        self.add(connection, name)
        raise LookupError(name)


def names(connection: Connection) -> list[str]:
    """Give all names that are durable, in the order of their commits; a query."""
    return list(connection.scalars(_NAMES))


def write(connection: Connection, name: str) -> str:
    """Write a row without the memory; a step."""
    connection.execute(_INSERT, {"name": name, "value": b"", "changed_at": 0})
    return name


def environment() -> dict[str, str]:
    """Give the environment of a Python that finds this module and all that this one finds."""
    path = [str(Path(__file__).parent), *sys.path]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(path)}


@asynccontextmanager
async def open_database(url: str | Path, ledger: Ledger | None = None) -> AsyncIterator[Database]:
    """Have a database open."""
    database = Database(url, ledger or Ledger())
    await database.open()
    try:
        yield database
    finally:
        await database.close()
