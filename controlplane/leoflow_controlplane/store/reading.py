"""Read what the writer needs to remember: DAG versions, runs that are not over, values. Changes
nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from leoflow_agent.spec import DagSpec
from pydantic import TypeAdapter
from sqlalchemy import Connection, Row, bindparam, or_, select

from leoflow_controlplane.book.dagversion import DagVersion
from leoflow_controlplane.database.driver import fetch, placeholder_of
from leoflow_controlplane.model import RunKey
from leoflow_controlplane.schema import (
    backfills,
    dag_versions,
    dags,
    runs,
    task_instances,
    tries,
    xcoms,
)

SPEC = TypeAdapter(DagSpec)
# Parameters of one statement.
_MOST_AT_ONCE = 500

_OPEN_TRIES_OF = select(tries.c.run_pk).where(tries.c.ended_at.is_(None)).distinct()
_UNFINISHED = select(runs).where(
    runs.c.instance_id == bindparam("owner"), runs.c.finished_at.is_(None)
)
_ENDING = select(runs).where(
    runs.c.instance_id == bindparam("owner"),
    runs.c.finished_at.is_not(None),
    runs.c.id.in_(_OPEN_TRIES_OF),
)
_RUN = select(runs).where(
    runs.c.dag_id == bindparam("dag_id"), runs.c.run_id == bindparam("run_id")
)
_INSTANCES = (
    select(task_instances)
    .where(task_instances.c.run_pk.in_(bindparam("pks", expanding=True)))
    .order_by(task_instances.c.run_pk, task_instances.c.position, task_instances.c.map_index)
)
_TRIES = select(tries).where(
    tries.c.run_pk.in_(bindparam("pks", expanding=True)),
    # A container that is gone may leave a try that still waits for its verdict.
    or_(tries.c.ended_at.is_(None), tries.c.state.is_(None)),
)
_VERSION = select(dag_versions).where(dag_versions.c.id == bindparam("pk"))
_DAG = (
    select(dags, dag_versions.c.created_at.label("version_created_at"))
    .join_from(dags, dag_versions, dags.c.dag_version_id == dag_versions.c.id)
    .where(dags.c.dag_id == bindparam("dag_id"))
)
_BACKFILL = select(backfills).where(backfills.c.id == bindparam("pk"))
_PREVIOUS = (
    select(runs.c.id)
    .where(runs.c.dag_id == bindparam("dag_id"), runs.c.logical_at < bindparam("logical_at"))
    .where(runs.c.instance_id == bindparam("owner"))
    .order_by(runs.c.logical_at.desc(), runs.c.id.desc())
    .limit(1)
)
_TRY = select(tries).where(
    *(tries.c[name] == bindparam(name) for name in ("run_pk", "task_id", "map_index", "try_number"))
)


class RunRows(NamedTuple):
    """The rows of a run: itself, its task instances, its tries whose containers may be there."""

    run: Row[Any]
    instances: list[Row[Any]]
    tries: list[Row[Any]]


def read_version(connection: Connection, pk: int) -> DagVersion:
    """Read a version of a DAG."""
    row = connection.execute(_VERSION, {"pk": pk}).one()
    return DagVersion(row.id, row.image, SPEC.validate_json(row.spec), row.image_digest)


def read_unfinished(connection: Connection, owner: str) -> list[RunRows]:
    """Read the runs of ``owner`` that are not over, oldest first."""
    found = [
        row
        for statement in (_UNFINISHED, _ENDING)
        for row in connection.execute(statement, {"owner": owner})
    ]
    return _with_rows(connection, sorted(found, key=lambda row: int(row.id)))


def read_run(connection: Connection, key: RunKey) -> RunRows | None:
    """Read one run, None if there is no such run."""
    row = connection.execute(_RUN, key._asdict()).one_or_none()
    return None if row is None else _with_rows(connection, [row])[0]


def read_try(
    connection: Connection, run_pk: int, task_id: str, map_index: int, try_number: int
) -> Row[Any] | None:
    """Read one try, None if there is no such try."""
    place = {"run_pk": run_pk, "task_id": task_id, "map_index": map_index}
    return connection.execute(_TRY, {**place, "try_number": try_number}).one_or_none()


def read_dag(connection: Connection, dag_id: str) -> Row[Any] | None:
    """Read what is known of a DAG, None if it was never registered."""
    return connection.execute(_DAG, {"dag_id": dag_id}).one_or_none()


def read_backfill(connection: Connection, pk: int) -> Row[Any] | None:
    """Read a backfill, None if there is no such one."""
    return connection.execute(_BACKFILL, {"pk": pk}).one_or_none()


def read_previous(connection: Connection, owner: str, dag_id: str, logical_at: float) -> int | None:
    """Give the key of the run of a DAG before an instant; None if there is none."""
    wanted = {"owner": owner, "dag_id": dag_id, "logical_at": logical_at}
    return connection.execute(_PREVIOUS, wanted).scalar_one_or_none()


def read_run_pk(connection: Connection, key: RunKey) -> int | None:
    """Give the key of a run's row, None if there is no such run."""
    mark = placeholder_of(connection)
    statement = f"SELECT id FROM {runs.name} WHERE dag_id = {mark} AND run_id = {mark}"
    rows = fetch(connection, statement, key)
    return rows[0][0] if rows else None


def read_version_pk(connection: Connection, run_pk: int) -> int | None:
    """Give the key of the version that a run has, None if there is no such run."""
    statement = select(runs.c.dag_version_id).where(runs.c.id == run_pk)
    return connection.execute(statement).scalar_one_or_none()


def read_instances(connection: Connection, run_pk: int) -> Sequence[Row[Any]]:
    """Read the task instances of a run, in the order of the DAG."""
    return connection.execute(_INSTANCES, {"pks": [run_pk]}).all()


def read_values(connection: Connection, run_pk: int, task_id: str, key: str) -> dict[int, str]:
    """Read the values (JSON text) that a task left, by map_index."""
    mark = placeholder_of(connection)
    statement = (
        f"SELECT map_index, value FROM {xcoms.name} "
        f"WHERE run_pk = {mark} AND task_id = {mark} AND key = {mark}"
    )
    return dict(fetch(connection, statement, (run_pk, task_id, key)))


def _with_rows(connection: Connection, found: Sequence[Row[Any]]) -> list[RunRows]:
    rows = {row.id: RunRows(row, [], []) for row in found}
    pks = list(rows)
    for start in range(0, len(pks), _MOST_AT_ONCE):
        some = {"pks": pks[start : start + _MOST_AT_ONCE]}
        for row in connection.execute(_INSTANCES, some):
            rows[row.run_pk].instances.append(row)
        for row in connection.execute(_TRIES, some):
            rows[row.run_pk].tries.append(row)
    return list(rows.values())
