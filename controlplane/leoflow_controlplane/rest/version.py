"""DAG versions: what Airflow calls a bundle is here the image that a version is built into."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path
from sqlalchemy import Row

from leoflow_controlplane.command import Misgiving, PushWarning
from leoflow_controlplane.rest.asking import AnOffice, APage
from leoflow_controlplane.rest.refusal import refusals
from leoflow_controlplane.rest.shape import MAX_INTEGER, Name, Shape, StrictRoute, moment, uuid_of
from leoflow_controlplane.store.query.dag import find_version, list_versions


class DagVersionShape(Shape):
    """``bundle_name`` is the image's reference, ``bundle_version`` its digest."""

    id: UUID
    version_number: int
    dag_id: str
    bundle_name: str | None
    bundle_version: str | None
    bundle_url: str | None = None
    created_at: datetime
    dag_display_name: str


class PushWarningShape(Shape):
    """What of a push has no effect where this server runs tasks, or may fail there later."""

    kind: Misgiving
    message: str


class PushedVersionShape(DagVersionShape):
    """What was pushed. ``notes``: what is done for it where this server runs tasks."""

    warnings: list[PushWarningShape]
    notes: list[str]


class DagVersionList(Shape):
    """A page of versions."""

    dag_versions: list[DagVersionShape]
    total_entries: int


router = APIRouter(
    prefix="/api/v2/dags/{dag_id}/dagVersions", tags=["DagVersion"], route_class=StrictRoute
)


@router.get("", responses=refusals(400, 404))
async def get_dag_versions(dag_id: Name, page: APage, office: AnOffice) -> DagVersionList:
    """List the versions of a DAG, the first first."""
    rows, total = await office.reader.read(list_versions, dag_id, page)
    return DagVersionList(dag_versions=[shape_version(row) for row in rows], total_entries=total)


@router.get("/{version_number}", responses=refusals(404))
async def get_dag_version(
    dag_id: Name, version_number: Annotated[int, Path(ge=1, le=MAX_INTEGER)], office: AnOffice
) -> DagVersionShape:
    """Give one version of a DAG."""
    return shape_version(await office.reader.read(find_version, dag_id, version_number))


def shape_version(row: Row[Any]) -> DagVersionShape:
    """Show a row of the table of versions."""
    return _shape(row.id, row, row.created_at)


def shape_pushed(
    row: Row[Any], warnings: Sequence[PushWarning], notes: Sequence[str]
) -> PushedVersionShape:
    """Show a version that was pushed, and what was found about it."""
    version = shape_version(row).model_dump()
    shown = [PushWarningShape(kind=one.kind, message=one.message) for one in warnings]
    return PushedVersionShape(**version, warnings=shown, notes=list(notes))


def shape_version_of(row: Row[Any]) -> DagVersionShape:
    """Show the version in a row of something else that belongs to it."""
    return _shape(row.dag_version_id, row, row.version_created_at)


def _shape(key: int, row: Row[Any], created_at: float) -> DagVersionShape:
    return DagVersionShape(
        id=uuid_of(key),
        version_number=row.version_number,
        dag_id=row.dag_id,
        bundle_name=row.image,
        bundle_version=row.image_digest,
        created_at=moment(created_at),
        dag_display_name=row.dag_id,
    )
