"""Read and write what schedules and backfills have come to. A part of the steps of ``calendar``."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from leoflow_controlplane.model import RunState
from leoflow_controlplane.schema import backfills, dags, runs
from leoflow_controlplane.timetable.planning import Known
from leoflow_controlplane.timetable.timetable import Interval


def read_schedules(connection: Connection) -> Sequence[Row[Any]]:
    """Read the DAGs that are not paused: dag_id and next_run_at."""
    statement = select(dags.c.dag_id, dags.c.next_run_at).where(dags.c.is_paused.is_(False))
    return connection.execute(statement).all()


def last_interval(dag: Row[Any]) -> Interval | None:
    """Give the data interval of the newest run that a DAG's schedule has made."""
    if dag.last_interval_start is None:
        return None
    return Interval(_moment(dag.last_interval_start), _moment(dag.last_interval_end))


def write_schedule(
    connection: Connection, dag_id: str, last: Interval | None, next_at: datetime | None
) -> None:
    """Write down how far a DAG's schedule has come."""
    connection.execute(
        update(dags)
        .where(dags.c.dag_id == dag_id)
        .values(
            last_interval_start=None if last is None else last.start.timestamp(),
            last_interval_end=None if last is None else last.end.timestamp(),
            next_run_at=None if next_at is None else next_at.timestamp(),
        )
    )


def read_known(
    connection: Connection, owner: str, dag_id: str, first: datetime, last: datetime
) -> tuple[dict[datetime, Known], dict[datetime, int | None]]:
    """Give the runs of a DAG by logical date, and the backfill that each is of."""
    rows = connection.execute(
        select(runs.c.run_id, runs.c.state, runs.c.logical_at, runs.c.backfill_id)
        .where(runs.c.dag_id == dag_id, runs.c.instance_id == owner)
        .where(runs.c.logical_at.between(first.timestamp(), last.timestamp()))
        .order_by(runs.c.id)
    ).all()
    known = {_moment(row.logical_at): Known(row.run_id, _state(row)) for row in rows}
    return known, {_moment(row.logical_at): row.backfill_id for row in rows}


def insert_backfill(connection: Connection, values: dict[str, Any]) -> int:
    """Write down a backfill and give its id."""
    inserted = connection.execute(insert(backfills).values(**values))
    return int(inserted.inserted_primary_key[0])


def update_backfill(connection: Connection, pk: int, **values: Any) -> None:
    """Change columns of a backfill."""
    connection.execute(update(backfills).where(backfills.c.id == pk).values(**values))


def read_open_backfills(connection: Connection) -> Sequence[Row[Any]]:
    """Read the backfills that are not over, oldest first."""
    statement = select(backfills).where(backfills.c.finished_at.is_(None))
    return connection.execute(statement.order_by(backfills.c.id)).all()


def join_backfill(connection: Connection, run_pk: int, backfill_id: int) -> None:
    """Make a run that is there a part of a backfill."""
    connection.execute(update(runs).where(runs.c.id == run_pk).values(backfill_id=backfill_id))


def read_unfinished_of(connection: Connection, backfill_id: int) -> list[tuple[str, str]]:
    """Name the runs of a backfill that are not over."""
    rows = connection.execute(
        select(runs.c.dag_id, runs.c.run_id)
        .where(runs.c.backfill_id == backfill_id, runs.c.finished_at.is_(None))
        .order_by(runs.c.id)
    )
    return [(row.dag_id, row.run_id) for row in rows]


def _moment(instant: float) -> datetime:
    return datetime.fromtimestamp(instant, UTC)


def _state(row: Row[Any]) -> RunState:
    state: RunState = row.state
    return state
