"""A DAG in Airflow's shape. What leoflow does not have is answered as Airflow answers it where it
is not used: null, false or empty."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from pydantic import computed_field
from sqlalchemy import Row

from leoflow_controlplane.rest.shape import Shape, instant, moment
from leoflow_controlplane.rest.version import DagVersionShape, shape_version_of
from leoflow_controlplane.store.query.dag import DagView


class TagShape(Shape):
    """A tag of a DAG."""

    name: str
    dag_id: str
    dag_display_name: str


class DagShape(Shape):
    """A DAG."""

    dag_id: str
    dag_display_name: str
    is_paused: bool
    is_stale: bool = False
    last_parsed_time: datetime | None
    last_parse_duration: float | None = None
    last_expired: datetime | None = None
    bundle_name: str | None
    bundle_version: str | None
    relative_fileloc: str | None
    fileloc: str
    description: str | None
    timetable_summary: str | None
    timetable_description: str | None
    tags: list[TagShape]
    max_active_tasks: int
    max_active_runs: int | None
    max_consecutive_failed_dag_runs: int = 0
    has_task_concurrency_limits: bool
    has_import_errors: bool = False
    next_dagrun_logical_date: datetime | None
    next_dagrun_data_interval_start: datetime | None
    next_dagrun_data_interval_end: datetime | None
    next_dagrun_run_after: datetime | None
    owners: list[str]

    @computed_field  # type: ignore[prop-decorator]
    @property
    def file_token(self) -> str:
        """Airflow's pages find a DAG's source by it; here it is the image that has it."""
        return f"{self.bundle_name}:{self.relative_fileloc}"


class DagList(Shape):
    """A page of DAGs."""

    dags: list[DagShape]
    total_entries: int


class DagDetails(DagShape):
    """A DAG with what its version says."""

    catchup: bool
    dag_run_timeout: timedelta | None
    asset_expression: dict[str, Any] | None = None
    doc_md: str | None = None
    start_date: datetime | None
    end_date: datetime | None
    is_paused_upon_creation: bool | None
    params: dict[str, Any] | None
    render_template_as_native_obj: bool = True
    template_search_path: list[str] | None = None
    timezone: str | None
    last_parsed: datetime | None
    default_args: dict[str, Any] | None = None
    is_favorite: bool = False
    active_runs_count: int
    owner_links: dict[str, str] | None = None
    latest_dag_version: DagVersionShape | None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def concurrency(self) -> int:
        """The old name of max_active_tasks."""
        return self.max_active_tasks


def shape_dag(dag: DagView) -> DagShape:
    """Show a DAG."""
    return DagShape.model_validate(_fields(dag))


def details_dag(dag: DagView, active_runs: int) -> DagDetails:
    """Show a DAG with what its version says."""
    says = dag.summary
    timeout = says.dagrun_timeout_seconds
    return DagDetails.model_validate(
        {
            **_fields(dag),
            "catchup": says.catchup,
            "dag_run_timeout": None if timeout is None else timedelta(seconds=timeout),
            "start_date": says.start_date,
            "end_date": says.end_date,
            "is_paused_upon_creation": says.is_paused_upon_creation,
            "params": {name: _param(value) for name, value in says.params.items()},
            "timezone": says.timezone,
            "last_parsed": moment(dag.row.version_created_at),
            "active_runs_count": active_runs,
            "latest_dag_version": shape_version_of(dag.row),
        }
    )


def _fields(dag: DagView) -> dict[str, Any]:
    row, says = dag
    next_start, next_end = _next_interval(row)
    return {
        "dag_id": row.dag_id,
        "dag_display_name": row.dag_id,
        "is_paused": row.is_paused,
        "last_parsed_time": moment(row.version_created_at),
        "bundle_name": row.image,
        "bundle_version": row.image_digest,
        "relative_fileloc": says.file,
        "fileloc": says.file,
        "description": says.description or None,
        "timetable_summary": says.schedule,
        "timetable_description": says.meaning,
        "tags": [
            {"name": tag, "dag_id": row.dag_id, "dag_display_name": row.dag_id} for tag in says.tags
        ],
        "max_active_tasks": says.max_active_tasks,
        "max_active_runs": says.max_active_runs,
        "has_task_concurrency_limits": says.has_task_limits,
        "next_dagrun_logical_date": instant(next_start),
        "next_dagrun_data_interval_start": instant(next_start),
        "next_dagrun_data_interval_end": instant(next_end),
        "next_dagrun_run_after": instant(row.next_run_at),
        "owners": [],
    }


def _next_interval(row: Row[Any]) -> tuple[float | None, float | None]:
    """Give the data interval of the next run; nothing, as long as the last one does not tell it."""
    last_start, last_end, next_at = row.last_interval_start, row.last_interval_end, row.next_run_at
    if last_end is None or next_at is None:
        return None, None
    # Either it is the instant at which the run is due, or the time from the last one to that.
    return (next_at if last_start == last_end else last_end), next_at


def _param(value: Any) -> dict[str, Any]:
    return {"value": value, "schema": {}, "description": None}
