"""Backfills as people look for them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, select

from leoflow_controlplane.error import NotFound
from leoflow_controlplane.schema import backfills
from leoflow_controlplane.store.query.page import Listed, Page, take_page

_ORDERS = {
    name: backfills.c[column]
    for name, column in (
        ("id", "id"),
        ("dag_id", "dag_id"),
        ("from_date", "from_date"),
        ("to_date", "to_date"),
        ("created_at", "created_at"),
        ("completed_at", "finished_at"),
    )
}


def list_backfills(
    connection: Connection, dag_id: str | None, active: bool | None, page: Page
) -> Listed:
    """List backfills; ``active`` are those that are not over."""
    query = select(backfills)
    if dag_id is not None:
        query = query.where(backfills.c.dag_id == dag_id)
    if active is not None:
        over = backfills.c.finished_at.is_not(None)
        query = query.where(~over if active else over)
    return take_page(connection, query, page, _ORDERS, backfills.c.id)


def find_backfill(connection: Connection, backfill_id: int) -> Row[Any]:
    """Give a backfill; NotFound if there is none."""
    row = connection.execute(select(backfills).where(backfills.c.id == backfill_id)).one_or_none()
    if row is None:
        raise NotFound(f"there is no backfill {backfill_id}.")
    return row
