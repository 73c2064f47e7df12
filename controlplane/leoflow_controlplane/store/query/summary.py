"""What lists show of a DAG's specification, read once for each version: a version never changes."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, select

from leoflow_controlplane.schema import dag_versions

# Versions that are kept; one of 30 tasks takes about 5 KiB.
MAX_KEPT = 4096
# SQLite binds at most 32,766 parameters to a statement, older ones 999.
_MOST_IDS = 500


@dataclass(frozen=True)
class Summary:
    """A DAG version without its tasks' details. ``kinds`` are the actions' kinds by task_id;
    ``schedule`` and ``meaning`` are for people; ``file`` is that of the first task."""

    description: str
    tags: tuple[str, ...]
    schedule: str | None
    meaning: str
    timezone: str
    start_date: str | None
    end_date: str | None
    catchup: bool
    max_active_runs: int
    max_active_tasks: int
    dagrun_timeout_seconds: float | None
    is_paused_upon_creation: bool | None
    params: Mapping[str, Any]
    file: str
    has_task_limits: bool
    kinds: Mapping[str, str]


def summarize(spec: Mapping[str, Any]) -> Summary:
    """Summarize a DagSpec as it is stored. Fields that a version of old did not have: defaults."""
    tasks = spec["tasks"]
    schedule, meaning = describe_schedule(spec.get("schedule"))
    limits = ("max_active_tis_per_dag", "max_active_tis_per_dagrun")
    return Summary(
        description=spec.get("description", ""),
        tags=tuple(spec.get("tags", ())),
        schedule=schedule,
        meaning=meaning,
        timezone=spec.get("timezone", "UTC"),
        start_date=spec.get("start_date"),
        end_date=spec.get("end_date"),
        catchup=spec.get("catchup", False),
        max_active_runs=spec.get("max_active_runs", 16),
        max_active_tasks=spec.get("max_active_tasks", 16),
        dagrun_timeout_seconds=spec.get("dagrun_timeout_seconds"),
        is_paused_upon_creation=spec.get("is_paused_upon_creation"),
        params=spec.get("params", {}),
        file=tasks[0]["source"]["file"] if tasks else "",
        has_task_limits=any(task.get(name) is not None for task in tasks for name in limits),
        kinds={task["task_id"]: task["action"]["kind"] for task in tasks},
    )


def describe_schedule(schedule: Mapping[str, Any] | None) -> tuple[str | None, str]:
    """Give a schedule as it is written, and what it means."""
    if schedule is None:
        return None, "Never, external triggers only"
    if schedule["kind"] == "cron":
        return schedule["cron"], f"At the times of cron '{schedule['cron']}'"
    if schedule["kind"] == "interval":
        return f"{schedule['interval_seconds']:g} s", f"Every {schedule['interval_seconds']:g} s"
    if schedule["kind"] == "once":
        return "@once", "Once, as soon as possible"
    return "@continuous", "As soon as the previous run has ended"


class Summaries:
    """Keeps the summaries that were asked for last; any thread may ask.

    A version is known by its key and by when it was made known: SQLite gives the key of one that
    was deleted to another.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[int, float], Summary] = OrderedDict()

    def of(self, connection: Connection, rows: Iterable[Row[Any]]) -> dict[int, Summary]:
        """Give the summaries of the versions that ``rows`` name (``dag_version_id`` and
        ``version_created_at``) by their keys, reading those that are not kept."""
        wanted = {(row.dag_version_id, row.version_created_at) for row in rows}
        found = {one[0]: kept for one in wanted if (kept := self._kept.get(one)) is not None}
        missing = [pk for pk, _ in wanted if pk not in found]
        for start in range(0, len(missing), _MOST_IDS):
            query = select(dag_versions.c.id, dag_versions.c.created_at, dag_versions.c.spec).where(
                dag_versions.c.id.in_(missing[start : start + _MOST_IDS])
            )
            for pk, created_at, spec in connection.execute(query):
                found[pk] = self._kept[pk, created_at] = summarize(json.loads(spec))
        while len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)
        return found
