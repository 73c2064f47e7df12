"""Runs whose process is no more: they end as failed. Those of a server are the next one's."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection, Row, insert, select, update

from leoflow_controlplane.model import FINISHED_RUN, SERVER, RunKey
from leoflow_controlplane.schema import journal, runs, task_instances, tries

LOST = "the process that ran it ended"
_BEGUN = ("queued", "running", "restarting", "up_for_retry")


def fail_orphans(
    connection: Connection, is_alive: Callable[[str], bool], now: float
) -> list[RunKey]:
    """End the runs and close the tries of processes that are no more, and return these runs."""
    unfinished = select(runs).where(
        runs.c.finished_at.is_(None),
        runs.c.state.not_in(FINISHED_RUN),
        runs.c.instance_id != SERVER,
    )
    orphans = [row for row in connection.execute(unfinished) if not is_alive(row.instance_id)]
    for run in orphans:
        _fail_run(connection, run.id, now)
    open_tries = (
        select(runs.c.id, runs.c.instance_id)
        .join(tries, tries.c.run_pk == runs.c.id)
        .where(tries.c.ended_at.is_(None), runs.c.instance_id != SERVER)
        .distinct()
    )
    for row in connection.execute(open_tries).all():
        if not is_alive(row.instance_id):
            connection.execute(
                update(tries)
                .where(tries.c.run_pk == row.id, tries.c.ended_at.is_(None))
                .values(ended_at=now, deadline_at=None)
            )
    return [RunKey(run.dag_id, run.run_id) for run in orphans]


def _fail_run(connection: Connection, run_pk: int, now: float) -> None:
    instances = select(task_instances).where(task_instances.c.run_pk == run_pk)
    for row in connection.execute(instances).all():
        if row.state in _BEGUN:
            _end_instance(connection, row, "failed", now)
        elif row.state in (None, "scheduled"):
            _end_instance(connection, row, "skipped", now)
    connection.execute(
        update(tries)
        .where(tries.c.run_pk == run_pk, tries.c.state.is_(None))
        .values(state="failed", reason=LOST)
    )
    connection.execute(
        update(runs).where(runs.c.id == run_pk).values(state="failed", finished_at=now, reason=LOST)
    )
    line = {"run_pk": run_pk, "kind": "state", "at": now, "text": "failed", "reason": LOST}
    connection.execute(insert(journal).values(line))


def _end_instance(connection: Connection, row: Row[object], state: str, now: float) -> None:
    place = {name: getattr(row, name) for name in ("run_pk", "task_id", "map_index")}
    connection.execute(
        update(task_instances)
        .where(*(task_instances.c[name] == value for name, value in place.items()))
        .values(state=state, reason=LOST, due_at=None, finished_at=now)
    )
    connection.execute(
        insert(journal).values(
            **place, kind="state", at=now, text=state, try_number=row.try_number, reason=LOST
        )
    )
