"""Tables for the REST API without a control plane, and a bell that rings for all runs at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

from leoflow_controlplane.model import RunKey
from leoflow_controlplane.schema import metadata
from sqlalchemy import Connection, create_engine, event
from sqlalchemy.pool import StaticPool

P = ParamSpec("P")
T = TypeVar("T")


class FakeStore:
    """One SQLite database in memory, or the one at ``url`` on PostgreSQL; reading and writing on
    the same connection."""

    def __init__(self, url: str | None = None) -> None:
        self.reads = 0
        if url is None:
            thread = {"check_same_thread": False}
            self._engine = create_engine("sqlite://", poolclass=StaticPool, connect_args=thread)
            event.listen(self._engine, "connect", _obey_keys)
        else:
            driver = url.replace("postgresql:", "postgresql+psycopg:", 1)
            self._engine = create_engine(driver, poolclass=StaticPool)
        metadata.create_all(self._engine)

    async def read(
        self, query: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        self.reads += 1
        return await self.run(query, *args, **kwargs)

    async def run(
        self, step: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        with self._engine.begin() as connection:
            return step(connection, *args, **kwargs)

    def close(self) -> None:
        self._engine.dispose()


class FakeBell:
    """Rings for all runs at once."""

    def __init__(self) -> None:
        self.waiting = 0
        self._event = asyncio.Event()

    def watch(self, key: RunKey) -> asyncio.Event:
        self.waiting += 1
        return self._event

    def ring(self) -> None:
        self._event.set()
        self._event = asyncio.Event()


def _obey_keys(connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA foreign_keys = ON").close()
