"""Read what happened in a run, for whoever watches it. Changes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Row, and_, bindparam, select

from leoflow_controlplane.model import (
    FINISHED_RUN,
    PHASES,
    RETURN_VALUE,
    RunKey,
    RunResult,
    TaskResult,
    TryKey,
    Update,
)
from leoflow_controlplane.schema import (
    dag_versions,
    journal,
    runs,
    task_instances,
    tries,
    xcoms,
)
from leoflow_controlplane.store.told import read_changes
from leoflow_controlplane.timeline import timeline_ms

_FIND_RUN = (
    select(runs, dag_versions.c.image)
    .join(dag_versions, dag_versions.c.id == runs.c.dag_version_id)
    .where(runs.c.dag_id == bindparam("dag_id"), runs.c.run_id == bindparam("run_id"))
)
_FIND_UPDATES = (
    select(journal)
    .where(journal.c.run_pk == bindparam("run_pk"), journal.c.id > bindparam("after"))
    .order_by(journal.c.id)
    .limit(bindparam("most"))
)
_OF_INSTANCE = ("run_pk", "task_id", "map_index", "state", "reason", "try_number")
_FIND_OPEN_TRY = (
    select(tries.c.run_pk)
    .where(tries.c.run_pk == bindparam("run_pk"), tries.c.ended_at.is_(None))
    .limit(1)
)


def find_run(connection: Connection, key: RunKey) -> Row[Any]:
    """Return the row of a run with its ``image``; KeyError if there is none."""
    row = connection.execute(_FIND_RUN, key._asdict()).one_or_none()
    if row is None:
        raise KeyError(key)
    return row


def load_result(connection: Connection, key: RunKey) -> RunResult:
    """Tell how a run stands; KeyError if there is none."""
    run = find_run(connection, key)
    rows: Iterable[Row[Any]] = connection.execute(
        select(
            *(column for column in tries.c if column.name not in _OF_INSTANCE),
            task_instances.c.task_id,
            task_instances.c.map_index,
            task_instances.c.state.label("ti_state"),
            task_instances.c.try_number.label("ti_try_number"),
            task_instances.c.reason.label("ti_reason"),
            xcoms.c.value,
        )
        .select_from(task_instances)
        .outerjoin(
            tries,
            and_(
                tries.c.run_pk == task_instances.c.run_pk,
                tries.c.task_id == task_instances.c.task_id,
                tries.c.map_index == task_instances.c.map_index,
                tries.c.try_number == task_instances.c.try_number,
            ),
        )
        .outerjoin(
            xcoms,
            and_(
                xcoms.c.run_pk == task_instances.c.run_pk,
                xcoms.c.task_id == task_instances.c.task_id,
                xcoms.c.map_index == task_instances.c.map_index,
                xcoms.c.key == RETURN_VALUE,
            ),
        )
        .where(task_instances.c.run_pk == run.id)
        .order_by(task_instances.c.position, task_instances.c.map_index)
    )
    return RunResult(
        dag_id=run.dag_id,
        run_id=run.run_id,
        state=run.state,
        reason=run.reason,
        image=run.image,
        tasks=tuple(_task_result(row) for row in rows),
    )


def load_updates(
    connection: Connection, key: RunKey, after: int, limit: int = 500
) -> tuple[list[Update], int, bool]:
    """Give the next updates of a run after the cursor, the new cursor, and whether all is over.

    ``limit`` is of rows; one may hold several updates.

    All is over when the run has ended, its containers are gone and every update was given.
    """
    run = find_run(connection, key)
    wanted = {"run_pk": run.id, "after": after, "most": limit}
    rows = connection.execute(_FIND_UPDATES, wanted).all()
    over = len(rows) < limit and run.state in FINISHED_RUN and not has_open_try(connection, run.id)
    cursor = rows[-1].id if rows else after
    return [update for row in rows for update in _updates(row)], cursor, over


def has_open_try(connection: Connection, run_pk: int) -> bool:
    """Say whether a container of a run may still be there."""
    return connection.execute(_FIND_OPEN_TRY, {"run_pk": run_pk}).first() is not None


def load_log(connection: Connection, key: TryKey) -> list[Update]:
    """Give what a try wrote, in order; KeyError if there is no such run."""
    run = find_run(connection, key.run)
    rows = connection.execute(
        select(journal)
        .where(journal.c.run_pk == run.id, journal.c.kind == "log")
        .where(journal.c.task_id == key.task_id, journal.c.map_index == key.map_index)
        .where(journal.c.try_number == key.try_number)
        .order_by(journal.c.id)
    )
    return [_update(row) for row in rows]


def _task_result(row: Row[Any]) -> TaskResult:
    found = ((phase, getattr(row, f"{phase}_at")) for phase in PHASES)
    instants: dict[str, float] = {phase: at for phase, at in found if at is not None}
    return TaskResult(
        task_id=row.task_id,
        map_index=row.map_index,
        state=row.ti_state,
        try_number=row.ti_try_number,
        reason=row.ti_reason,
        return_value=None if row.value is None else json.loads(row.value),
        artifacts=row.artifacts,
        timeline_ms=timeline_ms(instants),
        instants=instants,
        exit_code=row.exit_code,
        oom_killed=bool(row.oom_killed),
    )


def _updates(row: Row[Any]) -> list[Update]:
    if row.kind != "states":
        return [_update(row)]
    return [Update("state", *change[:5], reason=change[5]) for change in read_changes(row.text)]


def _update(row: Row[Any]) -> Update:
    return Update(
        kind=row.kind,
        at=row.at,
        text=row.text,
        task_id=row.task_id,
        map_index=row.map_index,
        try_number=row.try_number,
        stream=row.stream,
        reason=row.reason,
    )
