"""Goes through the store and has what is too old deleted, slowly enough for nobody to notice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from leoflow_controlplane.database import Database
from leoflow_controlplane.store.retention import (
    START,
    Kind,
    Mark,
    delete_backfills,
    delete_some,
    find_old,
)

DAY_SECONDS = 86400
# A few milliseconds of the writer's time.
ROWS_AT_ONCE = 500
RUNS_AT_ONCE = 200
PAUSE_SECONDS = 0.02


class Keep(NamedTuple):
    """For how many days after the end of a run it, its logs and its XComs stay; None: forever."""

    runs_days: float | None = None
    logs_days: float | None = None
    xcoms_days: float | None = None


class Swept(NamedTuple):
    """How many runs had something deleted."""

    runs: int = 0
    logs: int = 0
    xcoms: int = 0


async def sweep(
    database: Database,
    keep: Keep,
    now: float,
    is_open: Callable[[int], bool],
    pause_seconds: float = PAUSE_SECONDS,
) -> Swept:
    """Delete all that is older than ``keep`` says; meant to be done once a day.

    ``now`` is in seconds since the epoch. ``is_open`` says, in the writer's thread, whether the
    memory holds a run. Raises as `Database.run` does; what was deleted by then stays deleted.
    """
    done: dict[Kind, int] = {}
    kinds: tuple[tuple[Kind, float | None], ...] = (
        ("runs", keep.runs_days),
        ("logs", keep.logs_days),
        ("xcoms", keep.xcoms_days),
    )
    for kind, days in kinds:
        if days is not None:
            sweeper = _Sweeper(database, kind, now - days * DAY_SECONDS, is_open, pause_seconds)
            done[kind] = await sweeper.sweep()
    if keep.runs_days is not None:
        await database.run(delete_backfills, now - keep.runs_days * DAY_SECONDS)
    return Swept(**done)


class _Sweeper(NamedTuple):
    database: Database
    kind: Kind
    before: float
    is_open: Callable[[int], bool]
    pause_seconds: float

    async def sweep(self) -> int:
        swept = 0
        mark: Mark | None = START
        while mark is not None:
            found, mark = await self.database.read(
                find_old, self.kind, self.before, mark, RUNS_AT_ONCE
            )
            for run_pk in found:
                await self._empty(run_pk)
            swept += len(found)
        return swept

    async def _empty(self, run_pk: int) -> None:
        deleted = ROWS_AT_ONCE
        while deleted == ROWS_AT_ONCE:
            deleted = await self.database.run(
                delete_some, self.kind, run_pk, self.before, self.is_open, ROWS_AT_ONCE
            )
            await asyncio.sleep(self.pause_seconds)
