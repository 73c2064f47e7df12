"""Backfills: runs for the data intervals of the past."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import AwareDatetime, Field, JsonValue, model_validator
from sqlalchemy import Row

from leoflow_controlplane.command import BackfillRequest, ReprocessBehavior
from leoflow_controlplane.rest.asking import AnOffice, APage
from leoflow_controlplane.rest.office import Office
from leoflow_controlplane.rest.refusal import refusals
from leoflow_controlplane.rest.shape import Body, RowKey, Shape, StrictRoute, instant, moment
from leoflow_controlplane.store.query.backfill import find_backfill, list_backfills

router = APIRouter(prefix="/api/v2/backfills", tags=["Backfill"], route_class=StrictRoute)


class BackfillShape(Shape):
    """A backfill."""

    id: int
    dag_id: str
    from_date: datetime
    to_date: datetime
    dag_run_conf: dict[str, Any] | None
    is_paused: bool
    reprocess_behavior: ReprocessBehavior
    max_active_runs: int
    created_at: datetime
    completed_at: datetime | None
    updated_at: datetime
    dag_display_name: str
    run_backwards: bool


class BackfillList(Shape):
    """A page of backfills."""

    backfills: list[BackfillShape]
    total_entries: int


class BackfillBody(Body):
    """A backfill to begin. Both dates are included."""

    dag_id: Annotated[str, Field(max_length=250)]
    from_date: AwareDatetime
    to_date: AwareDatetime
    run_backwards: bool = False
    dag_run_conf: dict[str, JsonValue] | None = None
    reprocess_behavior: ReprocessBehavior = "none"
    max_active_runs: Annotated[int, Field(ge=1, le=1000)] = 10

    @model_validator(mode="after")
    def _in_order(self) -> BackfillBody:
        if self.to_date < self.from_date:
            text = f"to_date '{self.to_date}' is before from_date '{self.from_date}'"
            raise ValueError(text)
        return self


@router.get("", responses=refusals(400))
async def get_backfills(
    page: APage, office: AnOffice, dag_id: str | None = None, active: bool | None = None
) -> BackfillList:
    """List backfills."""
    rows, total = await office.reader.read(list_backfills, dag_id, active, page)
    return BackfillList(backfills=[_shape(row) for row in rows], total_entries=total)


@router.post("", responses=refusals(400, 404, 409, 413))
async def create_backfill(body: BackfillBody, office: AnOffice) -> BackfillShape:
    """Begin a backfill."""
    request = BackfillRequest(
        dag_id=body.dag_id,
        from_date=body.from_date.isoformat(),
        to_date=body.to_date.isoformat(),
        conf=body.dag_run_conf or {},
        max_active_runs=body.max_active_runs,
        reprocess_behavior=body.reprocess_behavior,
        run_backwards=body.run_backwards,
    )
    return await _find(office, await office.commands.create_backfill(request))


@router.get("/{backfill_id}", responses=refusals(404))
async def get_backfill(backfill_id: RowKey, office: AnOffice) -> BackfillShape:
    """Give a backfill."""
    return await _find(office, backfill_id)


@router.put("/{backfill_id}/pause", responses=refusals(404, 409, 413))
async def pause_backfill(backfill_id: RowKey, office: AnOffice) -> BackfillShape:
    """Make no more of its runs for now."""
    return await _change(office, backfill_id, "pause")


@router.put("/{backfill_id}/unpause", responses=refusals(404, 409, 413))
async def unpause_backfill(backfill_id: RowKey, office: AnOffice) -> BackfillShape:
    """Go on with a backfill."""
    return await _change(office, backfill_id, "unpause")


@router.put("/{backfill_id}/cancel", responses=refusals(404, 409, 413))
async def cancel_backfill(backfill_id: RowKey, office: AnOffice) -> BackfillShape:
    """Make no more of its runs, ever."""
    return await _change(office, backfill_id, "cancel")


async def _change(
    office: Office, backfill_id: int, action: Literal["pause", "unpause", "cancel"]
) -> BackfillShape:
    await office.commands.change_backfill(backfill_id, action)
    return await _find(office, backfill_id)


async def _find(office: Office, backfill_id: int) -> BackfillShape:
    return _shape(await office.reader.read(find_backfill, backfill_id))


def _shape(row: Row[Any]) -> BackfillShape:
    return BackfillShape.model_validate(
        {
            "id": row.id,
            "dag_id": row.dag_id,
            "from_date": row.from_date,
            "to_date": row.to_date,
            "dag_run_conf": json.loads(row.conf),
            "is_paused": row.is_paused,
            "reprocess_behavior": row.reprocess_behavior,
            "max_active_runs": row.max_active_runs,
            "created_at": moment(row.created_at),
            "completed_at": instant(row.finished_at),
            "updated_at": moment(row.finished_at or row.created_at),
            "dag_display_name": row.dag_id,
            "run_backwards": row.run_backwards,
        }
    )
