"""The database as the rest of the control plane uses it. Knows nothing of what steps do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection

from leoflow_controlplane.database.group import Memory
from leoflow_controlplane.database.place import find_place
from leoflow_controlplane.database.reader import Readers
from leoflow_controlplane.database.writer import Writer

P = ParamSpec("P")
T = TypeVar("T")


class Database:
    """Runs steps, which change the memory and are durable when they return, and queries.

    ``url`` is a path for SQLite or a URL; SettingInvalid if it is of no use.
    """

    def __init__(self, url: str | Path, memory: Memory) -> None:
        self._place = find_place(url)
        self._memory = memory
        self._writer: Writer | None = None
        self._readers: Readers | None = None
        self._trouble: str | None = None
        self._usable = asyncio.Event()

    @property
    def name(self) -> str:
        """How people know it; holds no password."""
        return self._place.name

    @property
    def trouble(self) -> str | None:
        """What is wrong, or None."""
        return self._trouble

    @property
    def healthy(self) -> bool:
        """Whether steps can be made durable, as far as is known."""
        return self._trouble is None

    async def open(self) -> None:
        """Connect, making or upgrading the tables; DatabaseUnusable says why that is impossible."""
        loop = asyncio.get_running_loop()

        def tell(trouble: str | None) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._note, trouble)

        writer = Writer(self._place, self._memory, loop, tell)
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
        be durable, and the memory was dropped.
        """
        assert self._writer is not None, "open() comes first"
        result: T = await self._writer.submit(lambda connection: step(connection, *args, **kwargs))
        return result

    async def read(
        self, query: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run ``query(connection, …)`` in a thread of the readers.

        It sees the rows as they were when its first statement began, and can write nothing.
        """
        assert self._readers is not None, "open() comes first"
        result: T = await self._readers.run(lambda connection: query(connection, *args, **kwargs))
        return result

    async def usable(self) -> None:
        """Wait until there is no trouble; returns at once if there is none."""
        await self._usable.wait()

    async def close(self) -> None:
        """Finish what waits, then disconnect."""
        if self._writer is not None:
            await self._writer.close()
        if self._readers is not None:
            await asyncio.to_thread(self._readers.close)

    def _note(self, trouble: str | None) -> None:
        self._trouble = trouble
        if trouble is not None:
            self._usable.clear()
            return
        if self._readers is not None:
            self._readers.renew()
        self._usable.set()
