"""A task instance and a try in Airflow's shapes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from pydantic import Field
from sqlalchemy import Row

from leoflow_controlplane.model import PHASES, TaskState
from leoflow_controlplane.rest.shape import Shape, instant, moment
from leoflow_controlplane.rest.version import DagVersionShape, shape_version_of
from leoflow_controlplane.timeline import timeline_ms

POOL = "default_pool"


class TryShape(Shape):
    """One try of a task instance. From ``timeline_ms`` on the fields are leoflow's own: where
    the time went, by phase in milliseconds, and how the try ended."""

    task_id: str
    dag_id: str
    dag_run_id: str
    map_index: int
    start_date: datetime | None
    end_date: datetime | None
    duration: float | None
    state: TaskState | None
    try_number: int
    max_tries: int
    task_display_name: str
    dag_display_name: str
    hostname: str | None = None
    unixname: str | None = None
    pool: str = POOL
    pool_slots: int = 1
    queue: str | None = None
    priority_weight: int | None = 1
    operator: str | None
    operator_name: str | None
    queued_when: datetime | None
    scheduled_when: datetime | None
    pid: int | None = None
    executor: str | None = None
    executor_config: str = "{}"
    dag_version: DagVersionShape | None
    timeline_ms: dict[str, float]
    reason: str | None
    exit_code: int | None
    oom_killed: bool | None
    inline: bool | None
    artifacts: str | None


class InstanceShape(TryShape):
    """A task instance, with what is known of its latest try."""

    id: str
    logical_date: datetime | None
    run_after: datetime
    note: str | None
    rendered_map_index: str | None = None
    rendered_fields: dict[str, Any] = Field(default_factory=dict)
    trigger: dict[str, Any] | None = None
    triggerer_job: dict[str, Any] | None = None


class InstanceList(Shape):
    """A page of task instances."""

    task_instances: list[InstanceShape]
    total_entries: int


class TryList(Shape):
    """The tries of a task instance."""

    task_instances: list[TryShape]
    total_entries: int


def shape_instance(row: Row[Any], kinds: Mapping[str, str]) -> InstanceShape:
    """Show a task instance; ``kinds`` are those of its DAG version's tasks."""
    return InstanceShape.model_validate(
        {
            **_fields(row, kinds),
            "id": str(uuid5(NAMESPACE_OID, f"{row.run_pk}/{row.task_id}/{row.map_index}")),
            "start_date": instant(row.started_at),
            "end_date": instant(row.finished_at),
            "duration": _duration(row.started_at, row.finished_at),
            "state": row.state,
            "scheduled_when": instant(row.scheduled_at),
            "reason": row.reason,
            "logical_date": row.logical_date,
            "run_after": moment(row.run_created_at),
            "note": row.note,
        }
    )


def shape_try(row: Row[Any], kinds: Mapping[str, str]) -> TryShape:
    """Show a try. While it has no verdict its state is that of its task instance."""
    begin = row.entered_phase or row.started_phase
    end = row.left_phase or row.reported_phase or row.ended_phase
    return TryShape.model_validate(
        {
            **_fields(row, kinds),
            "start_date": instant(begin),
            "end_date": instant(end),
            "duration": _duration(begin, end),
            "state": row.try_state or row.state,
            "scheduled_when": instant(row.scheduled_phase),
            "reason": row.try_reason,
        }
    )


def _fields(row: Row[Any], kinds: Mapping[str, str]) -> dict[str, Any]:
    kind = kinds.get(row.task_id)
    found = ((phase, getattr(row, f"{phase}_phase")) for phase in PHASES)
    return {
        "task_id": row.task_id,
        "dag_id": row.dag_id,
        "dag_run_id": row.run_id,
        "map_index": row.map_index,
        "try_number": row.try_number,
        "max_tries": row.max_tries,
        "task_display_name": row.task_id,
        "dag_display_name": row.dag_id,
        "operator": kind,
        "operator_name": kind,
        "queued_when": instant(row.dispatched_phase),
        "dag_version": shape_version_of(row),
        "timeline_ms": timeline_ms({phase: at for phase, at in found if at is not None}),
        "exit_code": row.exit_code,
        "oom_killed": row.oom_killed,
        "inline": row.inline,
        "artifacts": row.artifacts,
    }


def _duration(begin: float | None, end: float | None) -> float | None:
    return None if begin is None or end is None else max(0.0, end - begin)
