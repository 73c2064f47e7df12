"""Read what happened, for people and for tasks downstream. Changes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Row, and_, select, tuple_

from leoflow_controlplane.model import (
    FINISHED_RUN,
    PHASES,
    RunKey,
    RunResult,
    TaskResult,
    Update,
)
from leoflow_controlplane.schema import journal, task_instances, tries, xcoms
from leoflow_controlplane.store.run import find_run
from leoflow_controlplane.timeline import timeline_ms


def load_xcoms(
    connection: Connection, run_pk: int, wanted: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], Any]:
    """Give the values of a run by (task_id, key); those that are not there are left out."""
    rows = connection.execute(
        select(xcoms).where(
            xcoms.c.run_pk == run_pk, tuple_(xcoms.c.task_id, xcoms.c.key).in_(list(wanted))
        )
    )
    return {(row.task_id, row.key): json.loads(row.value) for row in rows}


def load_xcom(connection: Connection, run_pk: int, task_id: str, key: str, map_index: int) -> Any:
    """Give one value of a run, None if it is not there."""
    text = connection.execute(
        select(xcoms.c.value).where(
            xcoms.c.run_pk == run_pk,
            xcoms.c.task_id == task_id,
            xcoms.c.key == key,
            xcoms.c.map_index == map_index,
        )
    ).scalar_one_or_none()
    return None if text is None else json.loads(text)


def load_result(connection: Connection, key: RunKey) -> RunResult:
    """Tell how a run stands; KeyError if there is none."""
    run = find_run(connection, key)
    rows = connection.execute(
        select(
            tries,
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
                tries.c.task_instance_pk == task_instances.c.id,
                tries.c.try_number == task_instances.c.try_number,
            ),
        )
        .outerjoin(
            xcoms,
            and_(
                xcoms.c.run_pk == task_instances.c.run_pk,
                xcoms.c.task_id == task_instances.c.task_id,
                xcoms.c.map_index == task_instances.c.map_index,
                xcoms.c.key == "return_value",
            ),
        )
        .where(task_instances.c.run_pk == run.id)
        .order_by(task_instances.c.id)
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

    All is over when the run has ended, its containers are gone and every update was given.
    """
    run = find_run(connection, key)
    rows = connection.execute(
        select(journal)
        .where(journal.c.run_pk == run.id, journal.c.id > after)
        .order_by(journal.c.id)
        .limit(limit)
    ).all()
    over = len(rows) < limit and run.state in FINISHED_RUN and not _has_open_try(connection, run.id)
    cursor = rows[-1].id if rows else after
    return [_update(row) for row in rows], cursor, over


def load_log(connection: Connection, key: RunKey, task_id: str, try_number: int) -> list[Update]:
    """Give what one try of a task wrote, in order."""
    run = find_run(connection, key)
    rows = connection.execute(
        select(journal)
        .where(journal.c.run_pk == run.id, journal.c.kind == "log")
        .where(journal.c.task_id == task_id, journal.c.try_number == try_number)
        .order_by(journal.c.id)
    )
    return [_update(row) for row in rows]


def _has_open_try(connection: Connection, run_pk: int) -> bool:
    found = connection.execute(
        select(tries.c.id)
        .join(task_instances, task_instances.c.id == tries.c.task_instance_pk)
        .where(task_instances.c.run_pk == run_pk, tries.c.ended_at.is_(None))
        .limit(1)
    ).first()
    return found is not None


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
