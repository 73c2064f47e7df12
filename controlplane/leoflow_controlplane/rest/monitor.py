"""Whether the server is there, which it is, and whether its parts are well. Needs no token."""

from __future__ import annotations

from importlib.metadata import version as version_of
from typing import Any

from fastapi import APIRouter

from leoflow_controlplane.rest.asking import AnOffice
from leoflow_controlplane.rest.office import Part
from leoflow_controlplane.rest.refusal import Mistakes
from leoflow_controlplane.rest.shape import Shape, StrictRoute, instant

router = APIRouter(prefix="/api/v2", tags=["Monitor"], route_class=StrictRoute)

# The Airflow whose shapes the answers have.
AIRFLOW_VERSION = "3.1.0"
_UNKNOWN: dict[int | str, dict[str, Any]] = {
    422: {"description": "A parameter is unknown", "model": Mistakes}
}


class PartShape(Shape):
    """How a part is."""

    status: str | None


class SchedulerShape(PartShape):
    """How the scheduler is, and when it last did something."""

    latest_scheduler_heartbeat: str | None


class TriggererShape(PartShape):
    """leoflow has no triggerer: null, as Airflow says where there is none."""

    latest_triggerer_heartbeat: str | None = None


class DagProcessorShape(PartShape):
    """leoflow has no DAG processor: DAGs are read when they are built."""

    latest_dag_processor_heartbeat: str | None = None


class HealthShape(Shape):
    """How the parts are. ``executor`` is leoflow's own."""

    metadatabase: PartShape
    scheduler: SchedulerShape
    triggerer: TriggererShape
    dag_processor: DagProcessorShape
    executor: PartShape


class VersionShape(Shape):
    """``version`` is that of the Airflow whose shapes these are, ``leoflow_version`` leoflow's."""

    version: str
    git_version: str | None = None
    leoflow_version: str


@router.get("/monitor/health", responses=_UNKNOWN)
async def get_health(office: AnOffice) -> HealthShape:
    """Tell how the parts are. As with Airflow the status is 200 even if they are not well."""
    health = await office.probe()
    seen = instant(health.scheduler.seen_at)
    return HealthShape(
        metadatabase=_shape(health.database),
        scheduler=SchedulerShape(
            status=health.scheduler.status,
            latest_scheduler_heartbeat=None if seen is None else seen.isoformat(),
        ),
        triggerer=TriggererShape(status=None),
        dag_processor=DagProcessorShape(status=None),
        executor=_shape(health.executor),
    )


@router.get("/version", responses=_UNKNOWN)
async def get_version() -> VersionShape:
    """Tell which server this is."""
    return VersionShape(version=AIRFLOW_VERSION, leoflow_version=version_of("leoflow"))


def _shape(part: Part) -> PartShape:
    return PartShape(status=part.status)
