"""Fills a store with runs that are over, as many as a year of work leaves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from leoflow_controlplane.controlplane import DATABASE_NAME
from leoflow_controlplane.database import Database
from leoflow_controlplane.schema import journal, runs, task_instances, tries
from leoflow_controlplane.store.newrun import register_version
from sqlalchemy import Connection, insert, select

from benchmarks.controlplane.shape import chains

TASKS = 3
AT_ONCE = 5000


class NoMemory:
    """For a database whose steps write rows themselves."""

    size = 0

    def flush(self, connection: Connection) -> None:
        """There is nothing to write."""

    def forget(self) -> None:
        """There is nothing to forget."""


async def add_finished_runs(home: Path, url: str | None, count: int) -> None:
    """Add ``count`` runs of three tasks."""
    database = Database(url or home / DATABASE_NAME, NoMemory())
    await database.open()
    for start in range(0, count, AT_ONCE):
        await database.run(_add, start, min(AT_ONCE, count - start))
    await database.close()


def _add(connection: Connection, start: int, count: int) -> None:
    spec = chains("load", 1, TASKS).spec
    version, _, _ = register_version(connection, spec, {"reference": "old", "digest": None}, 0.0)
    numbers = range(start, start + count)
    connection.execute(insert(runs), [_run(version, number) for number in numbers])
    pks = connection.execute(
        select(runs.c.id).where(runs.c.logical_at >= start, runs.c.logical_at < start + count)
    ).scalars()
    rows = [
        {"run_pk": pk, "task_id": task.task_id, "map_index": -1, "try_number": 1}
        for pk in pks
        for task in spec.tasks
    ]
    done = {"state": "success", "position": 0, "max_tries": 0}
    connection.execute(insert(task_instances), [{**row, **done} for row in rows])
    ended: dict[str, Any] = {"inline": False, "state": "success", "ended_at": 1.0, "acked_seq": 4}
    more = {"reported_verdict": True, "oom_killed": False}
    connection.execute(insert(tries), [{**row, **ended, **more} for row in rows])
    connection.execute(
        insert(journal), [{**row, "kind": "state", "at": 1.0, "text": "success"} for row in rows]
    )


def _run(version: int, number: int) -> dict[str, Any]:
    return {
        "dag_id": "load",
        "run_id": f"old{number}",
        "dag_version_id": version,
        "instance_id": "server",
        "run_type": "manual",
        "state": "success",
        "cancelled": False,
        "logical_date": "2026-01-01T00:00:00+00:00",
        "data_interval_start": "2026-01-01T00:00:00+00:00",
        "data_interval_end": "2026-01-01T00:00:00+00:00",
        "logical_at": float(number),
        "conf": "{}",
        "params": "{}",
        "created_at": float(number),
        "started_at": float(number),
        "finished_at": float(number) + 1,
    }
