"""Goes through the store and has what is too old deleted, slowly enough for nobody to notice."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from leoflow_controlplane.database import Database
from leoflow_controlplane.error import DatabaseUnusable
from leoflow_controlplane.store.retention import (
    START,
    Kind,
    Mark,
    Old,
    delete_backfills,
    delete_some,
    find_old,
)

DAY_SECONDS = 86400
# A few milliseconds of the writer's time.
ROWS_AT_ONCE = 500
RUNS_AT_ONCE = 200
PAUSE_SECONDS = 0.02
# A start has better things to do, and a database that is away may be back.
FIRST_PAUSE_SECONDS = 60.0
RETRY_SECONDS = 600.0

logger = logging.getLogger("leoflow.retention")


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


class Sweeper:
    """Sweeps a little after the start and then once a day; only who leads does.

    ``clock`` gives seconds since the epoch, ``sleep`` waits for some; ``is_open`` as for `sweep`.
    """

    def __init__(
        self,
        keep: Keep,
        is_open: Callable[[int], bool],
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._keep = keep
        self._is_open = is_open
        self._clock = clock
        self._sleep = sleep

    async def run(self, database: Database) -> None:
        """Sweep until cancelled; returns at once if everything is kept forever."""
        pause = FIRST_PAUSE_SECONDS
        while self._keep != Keep():
            await self._sleep(pause)
            pause = DAY_SECONDS
            try:
                swept = await sweep(database, self._keep, self._clock(), self._is_open)
            except DatabaseUnusable as error:
                logger.warning("what is old stays a while longer: %s", error)
                pause = RETRY_SECONDS
            else:
                logger.info("deleted what is old: %s", swept)


async def sweep(
    database: Database,
    keep: Keep,
    now: float,
    is_open: Callable[[int], bool],
    pause_seconds: float = PAUSE_SECONDS,
) -> Swept:
    """Delete all that is older than ``keep`` says; meant to be done once a day.

    ``now`` is in seconds since the epoch. ``is_open`` says, in the writer's thread, whether the
    memory needs a run. Raises as `Database.run` does; what was deleted by then stays deleted.
    """
    done: dict[Kind, int] = {}
    kinds: tuple[tuple[Kind, float | None], ...] = (
        ("runs", keep.runs_days),
        ("logs", keep.logs_days),
        ("xcoms", keep.xcoms_days),
    )
    for kind, days in kinds:
        if days is not None:
            old = Old(kind, now - days * DAY_SECONDS, is_open)
            done[kind] = await _sweep(database, old, pause_seconds)
    if keep.runs_days is not None:
        await database.run(delete_backfills, now - keep.runs_days * DAY_SECONDS)
    return Swept(**done)


async def _sweep(database: Database, old: Old, pause_seconds: float) -> int:
    swept = 0
    mark: Mark | None = START
    while mark is not None:
        left, mark = await database.read(find_old, old.kind, old.before, mark, RUNS_AT_ONCE)
        swept += len(left)
        while left:
            left = await database.run(delete_some, old, left, ROWS_AT_ONCE)
            await asyncio.sleep(pause_seconds)
    return swept
