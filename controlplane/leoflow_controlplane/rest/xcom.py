"""The values that tasks left."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from sqlalchemy import Row

from leoflow_controlplane.model import NOT_MAPPED, RunKey
from leoflow_controlplane.rest.asking import AnOffice, APage
from leoflow_controlplane.rest.refusal import refusals
from leoflow_controlplane.rest.shape import (
    MAX_INTEGER,
    Name,
    Shape,
    StrictRoute,
    TaskName,
    moment,
)
from leoflow_controlplane.store.query.xcom import XComFilter, find_xcom, list_xcoms

router = APIRouter(
    prefix="/api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/taskInstances/{task_id}/xcomEntries",
    tags=["XCom"],
    route_class=StrictRoute,
)


class XComShape(Shape):
    """A value without the value. ``timestamp`` is when its task ended, or else began."""

    key: str
    timestamp: datetime
    logical_date: datetime | None
    map_index: int
    task_id: str
    dag_id: str
    run_id: str
    dag_display_name: str
    task_display_name: str


class XComValue(XComShape):
    """A value."""

    value: Any


class XComList(Shape):
    """A page of values."""

    xcom_entries: list[XComShape]
    total_entries: int


@router.get("", responses=refusals(400, 404))
async def get_xcom_entries(
    dag_id: Name,
    dag_run_id: Name,
    task_id: TaskName,
    page: APage,
    office: AnOffice,
    xcom_key: str | None = None,
    map_index: Annotated[int | None, Query(ge=-1, le=MAX_INTEGER)] = None,
) -> XComList:
    """List what tasks left; `~` is all DAGs, runs or tasks."""
    wanted = XComFilter(dag_id, dag_run_id, task_id, xcom_key, map_index)
    rows, total = await office.reader.read(list_xcoms, wanted, page)
    shapes = [XComShape.model_validate(_fields(row)) for row in rows]
    return XComList(xcom_entries=shapes, total_entries=total)


@router.get("/{xcom_key}", response_model=XComValue, responses=refusals(404))
async def get_xcom_entry(
    dag_id: Name,
    dag_run_id: Name,
    task_id: TaskName,
    xcom_key: Name,
    office: AnOffice,
    map_index: Annotated[int, Query(ge=-1, le=MAX_INTEGER)] = NOT_MAPPED,
    stringify: Annotated[bool, Query(description="Give the value as JSON in a string.")] = False,
) -> Response:
    """Give a value that a task left."""
    key = RunKey(dag_id, dag_run_id)
    row = await office.reader.read(find_xcom, key, task_id, map_index, xcom_key)
    value = row.value if stringify else json.loads(row.value)
    shown = XComShape.model_validate(_fields(row)).model_dump(mode="json")
    # In ASCII: a value may have text that UTF-8 cannot spell, such as the name of a file.
    return Response(json.dumps({**shown, "value": value}), media_type="application/json")


def _fields(row: Row[Any]) -> dict[str, Any]:
    return {
        "key": row.key,
        "timestamp": moment(row.finished_at or row.started_at or row.created_at),
        "logical_date": row.logical_date,
        "map_index": row.map_index,
        "task_id": row.task_id,
        "dag_id": row.dag_id,
        "run_id": row.run_id,
        "dag_display_name": row.dag_id,
        "task_display_name": row.task_id,
    }
