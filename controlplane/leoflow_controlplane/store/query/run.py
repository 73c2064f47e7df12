"""The runs of a server as people look for them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, bindparam, func, select

from leoflow_controlplane.error import NotFound
from leoflow_controlplane.model import SERVER, RunKey
from leoflow_controlplane.schema import dag_versions, dags, runs
from leoflow_controlplane.store.query.page import Listed, Page, like, take_page

ALL = "~"


@dataclass(frozen=True)
class Between:
    """Instants in seconds since the epoch: ``gte`` and ``lte`` are in it, ``gt``, ``lt`` not."""

    gte: float | None = None
    gt: float | None = None
    lte: float | None = None
    lt: float | None = None


@dataclass(frozen=True)
class RunFilter:
    """Which runs. ``pattern`` is SQL's, anywhere in the run_id; ``between`` is by column."""

    dag_id: str = ALL
    states: tuple[str, ...] = ()
    run_types: tuple[str, ...] = ()
    pattern: str | None = None
    versions: tuple[int, ...] = ()
    between: tuple[tuple[str, Between], ...] = ()


def find_runs(connection: Connection, keys: Collection[RunKey]) -> frozenset[RunKey]:
    """Name those of some runs that there are."""
    found = (connection.execute(_ONE, key._asdict()).first() for key in keys)
    return frozenset(RunKey(*row) for row in found if row is not None)


_ONE = select(runs.c.dag_id, runs.c.run_id).where(
    runs.c.dag_id == bindparam("dag_id"), runs.c.run_id == bindparam("run_id")
)
_DURATION = (runs.c.finished_at - runs.c.started_at).label("duration")
_RUNS = (
    select(
        runs,
        _DURATION,
        dag_versions.c.version_number,
        dag_versions.c.image,
        dag_versions.c.image_digest,
        dag_versions.c.created_at.label("version_created_at"),
    )
    .join(dag_versions, dag_versions.c.id == runs.c.dag_version_id)
    .where(runs.c.instance_id == SERVER)
)
INSTANTS = {
    "logical_date": runs.c.logical_at,
    "run_after": runs.c.created_at,
    "start_date": runs.c.started_at,
    "end_date": runs.c.finished_at,
}
_ORDERS: dict[str, ColumnElement[Any]] = {
    "id": runs.c.id,
    "dag_id": runs.c.dag_id,
    "run_id": runs.c.run_id,
    "dag_run_id": runs.c.run_id,
    "state": runs.c.state,
    "run_type": runs.c.run_type,
    "duration": runs.c.finished_at - runs.c.started_at,
    **INSTANTS,
}


def find_run(connection: Connection, key: RunKey) -> Row[Any]:
    """Give a run; NotFound if there is none."""
    query = _RUNS.where(runs.c.dag_id == key.dag_id, runs.c.run_id == key.run_id)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFound(f"DAG '{key.dag_id}' has no run '{key.run_id}'.")
    return row


def list_runs(connection: Connection, wanted: RunFilter, page: Page) -> Listed:
    """List runs, by default in the order in which they were made."""
    if wanted.dag_id != ALL:
        require_dag(connection, wanted.dag_id)
    return take_page(connection, _where(_RUNS, wanted), page, _ORDERS, runs.c.id)


def list_keys(
    connection: Connection, dag_id: str, logical_date: Between, most: int
) -> list[RunKey]:
    """Give the keys of up to ``most`` runs of a DAG by their logical dates."""
    query = (
        select(runs.c.dag_id, runs.c.run_id)
        .where(runs.c.instance_id == SERVER, runs.c.dag_id == dag_id)
        .where(*between(runs.c.logical_at, logical_date))
        .order_by(runs.c.logical_at, runs.c.id)
        .limit(most)
    )
    return [RunKey(*row) for row in connection.execute(query)]


def require_dag(connection: Connection, dag_id: str) -> None:
    """Raise NotFound if there is no such DAG."""
    if connection.execute(select(dags.c.dag_id).where(dags.c.dag_id == dag_id)).first() is None:
        raise NotFound(f"there is no DAG '{dag_id}'. See 'leoflow dags' for those that there are.")


def between(column: ColumnElement[Any], wanted: Between) -> list[ColumnElement[bool]]:
    """Give the conditions that ``wanted`` sets on a column."""
    conditions = (
        (wanted.gte, column.__ge__),
        (wanted.gt, column.__gt__),
        (wanted.lte, column.__le__),
        (wanted.lt, column.__lt__),
    )
    return [compare(at) for at, compare in conditions if at is not None]


def _where(query: Select[Any], wanted: RunFilter) -> Select[Any]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.dag_id != ALL:
        conditions.append(runs.c.dag_id == wanted.dag_id)
    if wanted.states:
        conditions.append(runs.c.state.in_(wanted.states))
    if wanted.run_types:
        conditions.append(runs.c.run_type.in_(wanted.run_types))
    if wanted.versions:
        conditions.append(dag_versions.c.version_number.in_(wanted.versions))
    if wanted.pattern is not None and (pattern := like(wanted.pattern)) is not None:
        conditions.append(func.lower(runs.c.run_id).like(pattern.lower()))
    for name, interval in wanted.between:
        conditions += between(INSTANTS[name], interval)
    return query.where(and_(True, *conditions))
