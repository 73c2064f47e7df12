"""The values that tasks left, by name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import Connection, Row, and_, select

from leoflow_controlplane.error import NotFound
from leoflow_controlplane.model import RETURN_VALUE, SERVER, RunKey
from leoflow_controlplane.schema import runs, task_instances, xcoms
from leoflow_controlplane.store.query.page import Listed, Page, take_page
from leoflow_controlplane.store.query.run import ALL, find_run


@dataclass(frozen=True)
class XComFilter:
    """Which values; "~" is all."""

    dag_id: str = ALL
    run_id: str = ALL
    task_id: str = ALL
    key: str | None = None
    map_index: int | None = None


_COLUMNS = (
    xcoms.c.task_id,
    xcoms.c.map_index,
    xcoms.c.key,
    runs.c.dag_id,
    runs.c.run_id,
    runs.c.logical_date,
    runs.c.created_at,
    task_instances.c.started_at,
    task_instances.c.finished_at,
)
_JOINED = xcoms.join(runs, runs.c.id == xcoms.c.run_pk).outerjoin(
    task_instances,
    and_(
        task_instances.c.run_pk == xcoms.c.run_pk,
        task_instances.c.task_id == xcoms.c.task_id,
        task_instances.c.map_index == xcoms.c.map_index,
    ),
)


def list_xcoms(connection: Connection, wanted: XComFilter, page: Page) -> Listed:
    """List values without reading them; NotFound if a run is named that does not exist."""
    if wanted.dag_id != ALL and wanted.run_id != ALL:
        find_run(connection, RunKey(wanted.dag_id, wanted.run_id))
    query = select(*_COLUMNS).select_from(_JOINED).where(runs.c.instance_id == SERVER)
    for column, word in (
        (runs.c.dag_id, wanted.dag_id),
        (runs.c.run_id, wanted.run_id),
        (xcoms.c.task_id, wanted.task_id),
    ):
        if word != ALL:
            query = query.where(column == word)
    if wanted.key is not None:
        query = query.where(xcoms.c.key == wanted.key)
    if wanted.map_index is not None:
        query = query.where(xcoms.c.map_index == wanted.map_index)
    ties = (xcoms.c.run_pk, xcoms.c.task_id, xcoms.c.map_index, xcoms.c.key)
    return take_page(connection, query, page, {}, *ties)


def find_xcom(
    connection: Connection, run: RunKey, task_id: str, map_index: int, key: str
) -> Row[Any]:
    """Give a value with all that is known of it; NotFound if there is none."""
    run_pk = find_run(connection, run).id
    query = (
        select(*_COLUMNS, xcoms.c.value)
        .select_from(_JOINED)
        .where(xcoms.c.run_pk == run_pk, xcoms.c.task_id == task_id)
        .where(xcoms.c.map_index == map_index, xcoms.c.key == key)
    )
    row: Row[Any] | None = cast(Any, connection.execute(query).one_or_none())
    if row is None:
        raise NotFound(f"task '{task_id}' of run '{run.run_id}' left no value '{key}'.")
    return row


def list_returned(connection: Connection, run: RunKey, task_ids: list[str]) -> list[Row[Any]]:
    """Give what tasks returned, instance by instance; NotFound if there is no such run."""
    query = (
        select(xcoms.c.task_id, xcoms.c.map_index, xcoms.c.value)
        .where(xcoms.c.run_pk == find_run(connection, run).id, xcoms.c.task_id.in_(task_ids))
        .where(xcoms.c.key == RETURN_VALUE)
        .order_by(xcoms.c.task_id, xcoms.c.map_index)
    )
    rows: Any = connection.execute(query)
    return list(rows)
