"""The rows of DAGs: which version is current, whether it is paused, and their end."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select, update

from leoflow_controlplane.schema import backfills, dag_versions, dags, runs


def set_current(
    connection: Connection, dag_id: str, version_pk: int, *, is_paused: bool, now: float
) -> bool:
    """Make a version the current one; say whether the DAG was not known before, which is what
    ``is_paused`` is for."""
    changed = connection.execute(
        update(dags).where(dags.c.dag_id == dag_id).values(dag_version_id=version_pk)
    )
    if changed.rowcount:
        return False
    connection.execute(
        insert(dags).values(
            dag_id=dag_id, dag_version_id=version_pk, is_paused=is_paused, created_at=now
        )
    )
    return True


def set_paused(connection: Connection, dag_id: str, paused: bool) -> None:
    """Pause a DAG or end its pause."""
    connection.execute(update(dags).where(dags.c.dag_id == dag_id).values(is_paused=paused))


def has_unfinished_runs(connection: Connection, dag_id: str) -> bool:
    """Say whether a run of a DAG is not over, whoever runs it."""
    statement = select(runs.c.id).where(runs.c.dag_id == dag_id, runs.c.finished_at.is_(None))
    return connection.execute(statement.limit(1)).first() is not None


def delete_dag(connection: Connection, dag_id: str) -> None:
    """Remove a DAG with all that belongs to it."""
    for table in (dags, runs, backfills, dag_versions):
        connection.execute(delete(table).where(table.c.dag_id == dag_id))


def delete_run(connection: Connection, run_pk: int) -> None:
    """Remove a run with all that belongs to it."""
    connection.execute(delete(runs).where(runs.c.id == run_pk))
