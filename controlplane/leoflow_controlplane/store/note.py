"""Notes that people leave at runs and task instances. Steps; nothing depends on a note."""

from __future__ import annotations

from sqlalchemy import Connection, update

from leoflow_controlplane.model import RunKey
from leoflow_controlplane.schema import runs, task_instances
from leoflow_controlplane.store.query.run import find_run


def note_run(connection: Connection, key: RunKey, note: str | None) -> None:
    """Leave a note at a run; NotFound if there is none."""
    run = find_run(connection, key)
    connection.execute(update(runs).where(runs.c.id == run.id).values(note=note))


def note_instances(
    connection: Connection,
    key: RunKey,
    task_id: str,
    map_index: int | None,
    note: str | None,
) -> None:
    """Leave a note at a task instance, or with ``map_index`` None at all of a task."""
    statement = update(task_instances).where(
        task_instances.c.run_pk == find_run(connection, key).id,
        task_instances.c.task_id == task_id,
    )
    if map_index is not None:
        statement = statement.where(task_instances.c.map_index == map_index)
    connection.execute(statement.values(note=note))
