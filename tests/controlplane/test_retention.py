"""What is older than an operator wants to keep goes; everything else stays."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from ledger import Ledger, open_database
from leoflow_controlplane import retention, schema
from leoflow_controlplane.error import DatabaseUnusable
from leoflow_controlplane.retention import (
    DAY_SECONDS,
    FIRST_PAUSE_SECONDS,
    RETRY_SECONDS,
    Keep,
    Sweeper,
    Swept,
    sweep,
)
from leoflow_controlplane.store.retention import Old, delete_some
from sqlalchemy import Connection, func, insert, select

NOW = 100 * DAY_SECONDS
TABLES = ("runs", "task_instances", "tries", "xcoms", "journal", "webhooks", "backfills")


def nothing_is_open(_: int) -> bool:
    return False


def add_run(
    connection: Connection, pk: int, age_days: float, *, dag_id: str = "d", over: bool = True
) -> None:
    """Add a run of so many days ago with all that a run can have."""
    at = NOW - age_days * DAY_SECONDS
    text = {"logical_date": "", "data_interval_start": "", "data_interval_end": ""}
    if connection.execute(select(schema.dag_versions.c.id)).first() is None:
        version = {"id": 1, "dag_id": "d", "version_number": 1, "spec_hash": "", "image": ""}
        connection.execute(insert(schema.dag_versions).values(**version, spec="", created_at=0))
    backfill: dict[str, Any] = {"from_date": "", "to_date": "", "conf": "{}", "max_active_runs": 1}
    connection.execute(
        insert(schema.backfills).values(
            id=pk, dag_id=dag_id, reprocess_behavior="none", created_at=at, **backfill,
            finished_at=at if over else None,
        )
    )  # fmt: skip
    connection.execute(
        insert(schema.runs).values(
            id=pk, dag_id=dag_id, run_id=f"r{pk}", dag_version_id=1, instance_id="server",
            run_type="backfill", state="success" if over else "running", logical_at=at, conf="{}",
            params="{}", backfill_id=pk, created_at=at - 10, finished_at=at if over else None,
            **text,
        )
    )  # fmt: skip
    task = {"run_pk": pk, "task_id": "a", "map_index": -1}
    connection.execute(insert(schema.task_instances).values(**task, position=0))
    connection.execute(insert(schema.tries).values(**task, try_number=1, inline=False))
    connection.execute(insert(schema.xcoms).values(**task, key="return_value", value="1"))
    connection.execute(insert(schema.webhooks).values(run_pk=pk, body="", due_at=at))
    for kind in ("state", "log", "log", "log"):
        connection.execute(insert(schema.journal).values(run_pk=pk, kind=kind, at=at, text=""))


def count(connection: Connection) -> dict[str, int]:
    tables = schema.metadata.tables
    return {
        name: connection.execute(select(func.count()).select_from(tables[name])).scalar_one()
        for name in TABLES
    }


def run_ids(connection: Connection) -> list[int]:
    return list(connection.scalars(select(schema.runs.c.id).order_by(schema.runs.c.id)))


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "ROWS_AT_ONCE", 2)
    monkeypatch.setattr(retention, "RUNS_AT_ONCE", 2)


async def test_old_runs_go_with_all_they_had(database_url: str) -> None:
    async with open_database(database_url) as database:
        for pk, age in enumerate((50, 40, 31, 29, 1), start=1):
            await database.run(add_run, pk, age)
        swept = await sweep(database, Keep(runs_days=30), NOW, nothing_is_open, 0)
        assert swept == Swept(runs=3)
        assert await database.read(run_ids) == [4, 5]
        assert await database.read(count) == {
            "runs": 2,
            "task_instances": 2,
            "tries": 2,
            "xcoms": 2,
            "journal": 8,
            "webhooks": 2,
            "backfills": 2,
        }


async def test_a_run_that_is_not_over_stays_however_old(database_url: str) -> None:
    async with open_database(database_url) as database:
        await database.run(add_run, 1, 50, over=False)
        await database.run(add_run, 2, 50)
        await database.run(add_run, 3, 1)
        await sweep(database, Keep(30, 30, 30), NOW, nothing_is_open, 0)
        assert await database.read(run_ids) == [1, 3]
        assert (await database.read(count))["journal"] == 8


async def test_the_latest_run_of_a_dag_stays(database_url: str) -> None:
    """The next one may depend on it."""
    async with open_database(database_url) as database:
        for pk, dag_id in enumerate(("d", "d", "e"), start=1):
            await database.run(add_run, pk, 60 - pk, dag_id=dag_id)
        await sweep(database, Keep(runs_days=30), NOW, nothing_is_open, 0)
        assert await database.read(run_ids) == [2, 3]


async def test_logs_and_xcoms_go_before_their_run(database_url: str) -> None:
    async with open_database(database_url) as database:
        for pk, age in enumerate((50, 20, 5), start=1):
            await database.run(add_run, pk, age)
        swept = await sweep(database, Keep(None, 30, 10), NOW, nothing_is_open, 0)
        assert swept == Swept(logs=1, xcoms=2)
        left = await database.read(count)
        assert (left["runs"], left["tries"], left["journal"], left["xcoms"]) == (3, 3, 9, 1)
        assert await sweep(database, Keep(None, 30, 10), NOW, nothing_is_open, 0) == Swept()


async def test_a_run_that_was_started_again_meanwhile_stays(database_url: str) -> None:
    """Its rows may not say so yet: the memory knows."""
    async with open_database(database_url) as database:
        await database.run(add_run, 1, 50)
        await database.run(add_run, 2, 1)
        await sweep(database, Keep(30, 30, 30), NOW, lambda run_pk: run_pk == 1, 0)
        assert await database.read(run_ids) == [1, 2]
        assert (await database.read(count))["journal"] == 8


async def test_the_writer_is_never_busy_for_long(database_url: str) -> None:
    """A run of many rows goes in many steps, and others get their turn between them."""
    ledger = Ledger()
    async with open_database(database_url, ledger) as database:
        await database.run(add_run, 1, 50)
        await database.run(add_run, 2, 1)
        sweeping = asyncio.create_task(sweep(database, Keep(runs_days=30), NOW, nothing_is_open, 0))
        while not sweeping.done():
            await database.run(ledger.add, str(len(ledger.flushes)))
        assert len(ledger.flushes) > 2
        old = Old("runs", NOW, nothing_is_open)
        assert await database.run(delete_some, old, [2], 3) == [2]
        assert await database.read(run_ids) == [2]


async def test_nothing_is_deleted_unless_it_was_asked_for(database_url: str) -> None:
    async with open_database(database_url) as database:
        await database.run(add_run, 1, 90)
        await database.run(add_run, 2, 80)
        before = await database.read(count)
        assert await sweep(database, Keep(), NOW, nothing_is_open, 0) == Swept()
        assert await database.read(count) == before


class Days:
    """A clock that runs only while somebody sleeps; the test says when a sleep ends."""

    def __init__(self) -> None:
        self.now = NOW
        self.slept: list[float] = []
        self.asleep, self.woken = asyncio.Event(), asyncio.Event()

    def clock(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.asleep.set()
        await self.woken.wait()
        self.woken.clear()
        self.now += seconds

    async def pass_by(self) -> None:
        """Let a sleep end, and wait for the next one."""
        self.asleep.clear()
        self.woken.set()
        await self.asleep.wait()


async def test_each_day_what_is_old_by_then_goes(database_url: str) -> None:
    days = Days()
    async with open_database(database_url) as database:
        for pk, age in enumerate((40, 28.5, 1), start=1):
            await database.run(add_run, pk, age)
        sweeper = Sweeper(Keep(runs_days=30), nothing_is_open, days.clock, days.sleep)
        sweeping = asyncio.create_task(sweeper.run(database))
        await days.asleep.wait()
        left = [await database.read(run_ids)]
        for _ in range(3):
            await days.pass_by()
            left.append(await database.read(run_ids))
        sweeping.cancel()
    assert left == [[1, 2, 3], [2, 3], [2, 3], [3]]
    assert days.slept == [FIRST_PAUSE_SECONDS, DAY_SECONDS, DAY_SECONDS, DAY_SECONDS]


async def test_who_keeps_everything_never_looks(database_url: str) -> None:
    days = Days()
    async with open_database(database_url) as database:
        await Sweeper(Keep(), nothing_is_open, days.clock, days.sleep).run(database)
    assert days.slept == []


async def test_a_database_that_is_away_is_asked_again(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = Days()

    async def away(*_: object) -> None:
        raise DatabaseUnusable("away")

    async with open_database(database_url) as database:
        monkeypatch.setattr(database, "read", away)
        sweeper = Sweeper(Keep(runs_days=30), nothing_is_open, days.clock, days.sleep)
        sweeping = asyncio.create_task(sweeper.run(database))
        await days.asleep.wait()
        await days.pass_by()
        sweeping.cancel()
    assert days.slept == [FIRST_PAUSE_SECONDS, RETRY_SECONDS]
