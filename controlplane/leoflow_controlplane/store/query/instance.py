"""Task instances and their tries as people look for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, func, select

from leoflow_controlplane.command import TaskRef
from leoflow_controlplane.error import NotFound
from leoflow_controlplane.model import NOT_MAPPED, PHASES, SERVER, RunKey
from leoflow_controlplane.schema import dag_versions, runs, task_instances, tries
from leoflow_controlplane.store.query.page import Listed, Page, like, take_page
from leoflow_controlplane.store.query.run import ALL, Between, between, find_run, require_dag


@dataclass(frozen=True)
class InstanceFilter:
    """Which task instances; "~" as dag_id or run_id is all. ``mapped``: 0 and above only.
    ``states`` may hold None."""

    dag_id: str = ALL
    run_id: str = ALL
    task_id: str | None = None
    map_index: int | None = None
    mapped: bool = False
    states: tuple[str | None, ...] = ()
    pattern: str | None = None
    between: tuple[tuple[str, Between], ...] = ()


_PHASES = [tries.c[f"{phase}_at"].label(f"{phase}_phase") for phase in PHASES]
_RUN_COLUMNS = (
    runs.c.dag_id,
    runs.c.run_id,
    runs.c.logical_date,
    runs.c.created_at.label("run_created_at"),
    runs.c.dag_version_id,
    dag_versions.c.version_number,
    dag_versions.c.image,
    dag_versions.c.image_digest,
    dag_versions.c.created_at.label("version_created_at"),
)
_TRY_COLUMNS = (
    *_PHASES,
    tries.c.inline,
    tries.c.exit_code,
    tries.c.oom_killed,
    tries.c.artifacts,
    tries.c.state.label("try_state"),
    tries.c.reason.label("try_reason"),
)
_OF_SAME = and_(
    tries.c.run_pk == task_instances.c.run_pk,
    tries.c.task_id == task_instances.c.task_id,
    tries.c.map_index == task_instances.c.map_index,
)
_JOINED = task_instances.join(runs, runs.c.id == task_instances.c.run_pk).join(
    dag_versions, dag_versions.c.id == runs.c.dag_version_id
)
# Each with its latest try, if it has any.
_INSTANCES = (
    select(task_instances, *_RUN_COLUMNS, *_TRY_COLUMNS)
    .select_from(
        _JOINED.outerjoin(tries, and_(_OF_SAME, tries.c.try_number == task_instances.c.try_number))
    )
    .where(runs.c.instance_id == SERVER)
)
_TRIES = (
    select(
        *(column for column in task_instances.c if column.name != "try_number"),
        *_RUN_COLUMNS,
        *_TRY_COLUMNS,
        tries.c.try_number,
    )
    .select_from(_JOINED.join(tries, _OF_SAME))
    .where(runs.c.instance_id == SERVER)
)
INSTANTS = {
    "logical_date": runs.c.logical_at,
    "run_after": runs.c.created_at,
    "start_date": task_instances.c.started_at,
    "end_date": task_instances.c.finished_at,
}
_ORDERS: dict[str, ColumnElement[Any]] = {
    "id": task_instances.c.position,
    "task_id": task_instances.c.task_id,
    "task_display_name": task_instances.c.task_id,
    "map_index": task_instances.c.map_index,
    "state": task_instances.c.state,
    "try_number": task_instances.c.try_number,
    "duration": task_instances.c.finished_at - task_instances.c.started_at,
    "run_id": runs.c.run_id,
    **INSTANTS,
}


def list_instances(connection: Connection, wanted: InstanceFilter, page: Page) -> Listed:
    """List task instances, by default run by run and in the order of the DAG."""
    if wanted.dag_id != ALL and wanted.run_id != ALL:
        find_run(connection, RunKey(wanted.dag_id, wanted.run_id))
    elif wanted.dag_id != ALL:
        require_dag(connection, wanted.dag_id)
    ties = (
        task_instances.c.run_pk,
        task_instances.c.position,
        task_instances.c.task_id,
        task_instances.c.map_index,
    )
    return take_page(connection, _where(_INSTANCES, wanted), page, _ORDERS, *ties)


def find_instance(
    connection: Connection, key: RunKey, task_id: str, map_index: int = NOT_MAPPED
) -> Row[Any]:
    """Give a task instance with its latest try; NotFound if there is none."""
    run = find_run(connection, key)
    query = _INSTANCES.where(_is(run.id, task_id, map_index))
    row: Row[Any] | None = cast(Any, connection.execute(query).one_or_none())
    if row is None:
        raise NotFound(_missing(key, task_id, map_index))
    return row


def find_instances(connection: Connection, refs: Sequence[TaskRef]) -> list[Row[Any]]:
    """Give task instances that are named, those of each run together."""
    named: dict[RunKey, set[tuple[str, int]]] = {}
    for ref in refs:
        named.setdefault(ref.run, set()).add((ref.task_id, ref.map_index))
    found = []
    for key, names in named.items():
        run = find_run(connection, key)
        query = _INSTANCES.where(task_instances.c.run_pk == run.id).order_by(
            task_instances.c.position, task_instances.c.map_index
        )
        rows = connection.execute(query)
        found += [row for row in rows if (row.task_id, row.map_index) in names]
    return found


def list_tries(
    connection: Connection, key: RunKey, task_id: str, map_index: int = NOT_MAPPED
) -> list[Row[Any]]:
    """Give the tries of a task instance, the first first; NotFound if there is no instance."""
    instance = find_instance(connection, key, task_id, map_index)
    query = _TRIES.where(_is(instance.run_pk, task_id, map_index)).order_by(tries.c.try_number)
    rows: Any = connection.execute(query)
    return list(rows)


def find_try(
    connection: Connection, key: RunKey, task_id: str, map_index: int, try_number: int
) -> Row[Any]:
    """Give one try; NotFound if there is none."""
    run = find_run(connection, key)
    query = _TRIES.where(_is(run.id, task_id, map_index), tries.c.try_number == try_number)
    row: Row[Any] | None = cast(Any, connection.execute(query).one_or_none())
    if row is None:
        raise NotFound(f"{_missing(key, task_id, map_index)[:-1]} with a try {try_number}.")
    return row


def has_task(connection: Connection, key: RunKey, task_id: str) -> bool:
    """Say whether a run has instances of a task; NotFound if there is no such run."""
    run = find_run(connection, key)
    query = select(task_instances.c.task_id).where(
        task_instances.c.run_pk == run.id, task_instances.c.task_id == task_id
    )
    return connection.execute(query.limit(1)).first() is not None


def _is(run_pk: int, task_id: str, map_index: int) -> ColumnElement[bool]:
    return and_(
        task_instances.c.run_pk == run_pk,
        task_instances.c.task_id == task_id,
        task_instances.c.map_index == map_index,
    )


def _missing(key: RunKey, task_id: str, map_index: int) -> str:
    which = f"task '{task_id}'" + ("" if map_index < 0 else f" with map index {map_index}")
    return f"run '{key.run_id}' of DAG '{key.dag_id}' has no {which}."


def _where(query: Select[Any], wanted: InstanceFilter) -> Select[Any]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.dag_id != ALL:
        conditions.append(runs.c.dag_id == wanted.dag_id)
    if wanted.run_id != ALL:
        conditions.append(runs.c.run_id == wanted.run_id)
    if wanted.task_id is not None:
        conditions.append(task_instances.c.task_id == wanted.task_id)
    if wanted.map_index is not None:
        conditions.append(task_instances.c.map_index == wanted.map_index)
    if wanted.mapped:
        conditions.append(task_instances.c.map_index >= 0)
    if wanted.states:
        named = [state for state in wanted.states if state is not None]
        is_none = task_instances.c.state.is_(None)
        is_named = task_instances.c.state.in_(named)
        conditions.append(is_named | is_none if None in wanted.states else is_named)
    if wanted.pattern is not None and (pattern := like(wanted.pattern)) is not None:
        conditions.append(func.lower(task_instances.c.task_id).like(pattern.lower()))
    for name, interval in wanted.between:
        conditions += between(INSTANTS[name], interval)
    return query.where(and_(True, *conditions))
