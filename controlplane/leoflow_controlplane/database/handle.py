"""The database as the rest of the control plane uses it. Knows nothing of what steps do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection

from leoflow_controlplane.database.group import Memory, Outcome
from leoflow_controlplane.database.leadership import Leader, write_leader
from leoflow_controlplane.database.place import find_place
from leoflow_controlplane.database.reader import Readers
from leoflow_controlplane.database.writer import Writer
from leoflow_controlplane.error import DatabaseUnusable, NotLeading
from leoflow_controlplane.observer import SILENT, Observer

P = ParamSpec("P")
T = TypeVar("T")
A = TypeVar("A")


class Database:
    """Runs steps, which change the memory and are durable when they return, and queries.

    ``url`` is a path for SQLite or a URL; SettingInvalid if it is of no use. ``observer`` is told
    of commits and failures, in the writer's thread.
    """

    def __init__(self, url: str | Path, memory: Memory, observer: Observer = SILENT) -> None:
        self._place = find_place(url)
        self._memory = memory
        self._observer = observer
        self._writer: Writer | None = None
        self._readers: Readers | None = None
        self._trouble: str | None = None
        self._usable = asyncio.Event()
        self._may_write = True
        self._lost = asyncio.Event()

    @property
    def name(self) -> str:
        """How people know it; holds no password."""
        return self._place.name

    @property
    def trouble(self) -> str | None:
        """What is wrong, or None."""
        return self._trouble

    async def open(self) -> None:
        """Connect, making or upgrading the tables; DatabaseUnusable says why that is impossible."""
        writer = Writer(self._place, self._memory, asyncio.get_running_loop(), self, self._observer)
        await writer.open()
        self._writer, self._readers = writer, Readers(self._place)
        self._usable.set()

    async def run(
        self, step: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run ``step(connection, …)`` in the writer's thread; return once it is durable.

        It must be quick, must not keep the connection, and may be run again: nothing of a run
        that was given up remains, in the tables or in the memory. It completes even if the caller
        is cancelled meanwhile. What it raises is raised here. DatabaseUnusable: it is not known to
        be durable, and the memory was dropped. NotLeading: see `lead`.
        """
        result: T = await self._writing().submit(lambda c: step(c, *args, **kwargs))
        return result

    def begin(
        self,
        then: Callable[[Outcome], A],
        step: Callable[Concatenate[Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> asyncio.Future[A]:
        """Have a step run as `run` does, without a task that waits for it.

        The future holds what ``then`` makes of the outcome. That is called in the event loop once
        the step is durable or has failed, even if nobody waits for the future any more.
        """
        return self._writing().submit(lambda c: step(c, *args, **kwargs), then=then)

    async def run_patiently(
        self, step: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run a step as `run` does, but let the steps pass that others wait for."""
        result: T = await self._writing().submit(lambda c: step(c, *args, **kwargs), patient=True)
        return result

    def _writing(self) -> Writer:
        if not self._may_write:
            raise NotLeading("this process does not lead, so it may not write")
        assert self._writer is not None, "open() comes first"
        return self._writer

    async def read(
        self, query: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run ``query(connection, …)`` in a thread of the readers.

        It sees the rows as they were when its first statement began, and can write nothing.
        """
        assert self._readers is not None, "open() comes first"
        result: T = await self._readers.run(lambda connection: query(connection, *args, **kwargs))
        return result

    async def lead(self, leader: Leader) -> asyncio.Event:
        """Wait until no other process leads this database, then tell peers that ``leader`` does.

        The event is set when that is over, for good. From the call on, `run` raises NotLeading
        but while this process leads. Leading goes with the writer's connection on PostgreSQL, so
        that who lost it can write nothing; on SQLite it goes with a lock file, and Conflict names
        the process that has it. Once this is cancelled, all that is left is to close the database.
        """
        assert self._writer is not None, "open() comes first"
        self._may_write = False
        lost = self._lost = asyncio.Event()
        while True:
            try:
                await self._writer.submit(lambda c: write_leader(c, leader), leads=True)
            except DatabaseUnusable:
                await self.usable()
            else:
                self._may_write = not lost.is_set()
                return lost

    def surely_leads(self) -> bool:
        """Say whether nobody else can lead at this moment; if not, a step will tell."""
        return self._writer is not None and self._writer.surely_leads()

    async def usable(self) -> None:
        """Wait until there is no trouble; returns at once if there is none."""
        await self._usable.wait()

    async def close(self) -> None:
        """Finish what waits, then disconnect."""
        if self._writer is not None:
            await self._writer.close()
        if self._readers is not None:
            await asyncio.to_thread(self._readers.close)

    def note_lost(self) -> None:
        """Take note that this process does not lead any more; the writer's to call."""
        self._may_write = False
        self._lost.set()

    def note(self, trouble: str | None) -> None:
        """Take note of what is wrong; the writer's to call."""
        self._trouble = trouble
        if trouble is not None:
            self._usable.clear()
            return
        if self._readers is not None:
            self._readers.renew()
        self._usable.set()
