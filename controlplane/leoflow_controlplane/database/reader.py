"""Queries on connections of their own, which see one instant each and never hold up the writer."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from leoflow_controlplane.database.fault import is_fault, unusable
from leoflow_controlplane.database.group import Operation
from leoflow_controlplane.database.place import Place
from leoflow_controlplane.error import DatabaseUnusable

T = TypeVar("T")
THREADS = 4


class Readers:
    """A few threads, each of which answers one query at a time."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._engine: Engine = place.reading()
        self._is_closed = False
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="leoflow-reader")

    async def run(self, query: Operation) -> Any:
        """Answer ``query``; DatabaseUnusable if the database does not."""
        if self._is_closed:
            raise DatabaseUnusable(f"{self._place.name} is not open at the moment. Ask again.")
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._answer, query)

    def renew(self) -> None:
        """Drop all connections: they may lead to a file or a server that is no longer the one."""
        self._engine.dispose()

    def close(self) -> None:
        """Wait for what is being answered, then disconnect."""
        self._is_closed = True
        self._threads.shutdown()
        self._engine.dispose()

    def _answer(self, query: Operation) -> Any:
        try:
            try:
                return self._ask(query)
            except DBAPIError as error:
                # It may have broken long ago; all that were open are dropped now.
                if not error.connection_invalidated:
                    raise
                return self._ask(query)
        except Exception as error:
            if is_fault(error):
                raise unusable(self._place.name, error, self._place.advice) from None
            raise

    def _ask(self, query: Operation) -> Any:
        with self._engine.connect() as connection, connection.begin():
            return query(connection)
