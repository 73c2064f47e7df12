"""A DAG run in Airflow's shape."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Row

from leoflow_controlplane.model import RunState, RunType
from leoflow_controlplane.rest.shape import Shape, instant, moment
from leoflow_controlplane.rest.version import DagVersionShape, shape_version_of

_TRIGGERED_BY: dict[str, Literal["rest_api", "timetable", "backfill"]] = {
    "manual": "rest_api",
    "scheduled": "timetable",
    "backfill": "backfill",
}


class RunShape(Shape):
    """A DAG run. ``reason`` is leoflow's own: why it ended as it did, if there is more to say."""

    dag_run_id: str
    dag_id: str
    logical_date: datetime | None
    queued_at: datetime | None
    start_date: datetime | None
    end_date: datetime | None
    duration: float | None
    data_interval_start: datetime | None
    data_interval_end: datetime | None
    run_after: datetime
    last_scheduling_decision: datetime | None = None
    run_type: RunType
    state: RunState
    triggered_by: Literal["rest_api", "timetable", "backfill"] | None
    triggering_user_name: str | None
    conf: dict[str, Any] | None
    note: str | None
    dag_versions: list[DagVersionShape]
    bundle_version: str | None
    dag_display_name: str
    reason: str | None


class RunList(Shape):
    """A page of runs."""

    dag_runs: list[RunShape]
    total_entries: int


def shape_run(row: Row[Any]) -> RunShape:
    """Show a run."""
    return RunShape.model_validate(
        {
            "dag_run_id": row.run_id,
            "dag_id": row.dag_id,
            "logical_date": row.logical_date,
            "queued_at": moment(row.created_at),
            "start_date": instant(row.started_at),
            "end_date": instant(row.finished_at),
            "duration": row.duration,
            "data_interval_start": row.data_interval_start,
            "data_interval_end": row.data_interval_end,
            "run_after": moment(row.created_at),
            "run_type": row.run_type,
            "state": row.state,
            "triggered_by": _TRIGGERED_BY.get(row.run_type),
            "triggering_user_name": row.triggered_by,
            "conf": json.loads(row.conf),
            "note": row.note,
            "dag_versions": [shape_version_of(row)],
            "bundle_version": row.image_digest,
            "dag_display_name": row.dag_id,
            "reason": row.reason,
        }
    )
