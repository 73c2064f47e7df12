"""Run steps on the database, again and again if they must not be lost. Knows none of them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection

from leoflow_controlplane.book.book import Book
from leoflow_controlplane.database import Database
from leoflow_controlplane.database.group import Outcome
from leoflow_controlplane.error import DatabaseUnusable, NotLeading

P = ParamSpec("P")
T = TypeVar("T")
A = TypeVar("A")

logger = logging.getLogger("leoflow.scheduler")


class Stepper:
    """Runs steps on ``book`` in ``database``. Those of ``patient`` let others pass.

    A database that cannot be used is waited for ``patience_seconds``, None: for ever.
    """

    def __init__(
        self,
        database: Database,
        book: Book,
        patient: Collection[Callable[..., Any]],
        patience_seconds: float | None,
    ) -> None:
        self.failed: Callable[[], None] = lambda: None
        self.database = database
        self.book = book
        self._patient = patient
        self._patience_seconds = patience_seconds

    async def run(
        self, step: Callable[Concatenate[Connection, Book, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run a step; DatabaseUnusable if nobody knows what became of it, after ``failed`` was
        called."""
        try:
            if step in self._patient:
                return await self.database.run_patiently(step, self.book, *args, **kwargs)
            return await self.database.run(step, self.book, *args, **kwargs)
        except DatabaseUnusable:
            self.failed()
            raise

    def begin(
        self,
        then: Callable[[T], A],
        step: Callable[Concatenate[Connection, Book, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> asyncio.Future[A]:
        """Have a step run; the future holds what ``then`` makes of its answer. Errors as `run`.

        ``then`` is called as soon as the step is durable, even if nobody waits any more.
        """

        def take(outcome: Outcome) -> A:
            if outcome.error is None:
                return then(outcome.value)
            if isinstance(outcome.error, DatabaseUnusable):
                self.failed()
            raise outcome.error

        return self.database.begin(take, step, self.book, *args, **kwargs)

    async def persist(
        self, step: Callable[Concatenate[Connection, Book, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run a step that nobody else would ask for again, however long it takes."""
        while True:
            try:
                return await self.run(step, *args, **kwargs)
            except DatabaseUnusable as error:
                logger.warning("not written down yet, trying again: %s", error)
                await self.usable()
            except NotLeading:
                # It is the next leader's now, and this scheduler is about to be closed.
                await asyncio.Event().wait()

    async def usable(self) -> None:
        """Wait until the database can be used; DatabaseUnusable when patience ends."""
        try:
            async with asyncio.timeout(self._patience_seconds):
                await self.database.usable()
        except TimeoutError:
            raise DatabaseUnusable(
                f"{self.database.name} could not be written for {self._patience_seconds:g} s: "
                f"{self.database.trouble}. Nothing can go on without it."
            ) from None
