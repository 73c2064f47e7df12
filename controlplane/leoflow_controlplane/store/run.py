"""Runs as a whole: made, cancelled, and given up when the process that ran them is gone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from leoflow_agent.action import HttpAction
from leoflow_agent.spec import DagSpec, TaskSpec
from pydantic import TypeAdapter
from sqlalchemy import Connection, Row, bindparam, insert, select, update

from leoflow_controlplane.error import RunRefused
from leoflow_controlplane.model import FINISHED_RUN, NOT_MAPPED, RunKey, RunRequest, RunSnapshot
from leoflow_controlplane.model import TaskInstance as Instance
from leoflow_controlplane.schema import dag_versions, journal, runs, task_instances, tries, xcoms
from leoflow_controlplane.store.transition import move_instance, move_run

_SPEC = TypeAdapter(DagSpec)
LOST = "the process that ran it ended"

# Statements on the way from a report to a successor are made once: making one takes SQLAlchemy
# longer than running it takes SQLite.
_FIND_RUN = (
    select(runs, dag_versions.c.spec, dag_versions.c.image)
    .join(dag_versions, dag_versions.c.id == runs.c.dag_version_id)
    .where(runs.c.dag_id == bindparam("dag_id"), runs.c.run_id == bindparam("run_id"))
)
_FIND_INSTANCES = (
    select(task_instances)
    .where(task_instances.c.run_pk == bindparam("run_pk"))
    .order_by(task_instances.c.id)
)


def create_run(
    connection: Connection, request: RunRequest, key: RunKey, instance_id: str, now: float
) -> int:
    """Write down a run with all its task instances; RunRefused if ``key`` is taken."""
    taken = select(runs.c.id).where(runs.c.dag_id == key.dag_id, runs.c.run_id == key.run_id)
    if connection.execute(taken).first():
        raise RunRefused(f"DAG '{key.dag_id}' already has a run '{key.run_id}'. Choose another.")
    inserted = connection.execute(
        insert(runs).values(
            dag_id=key.dag_id,
            run_id=key.run_id,
            dag_version_id=_register(connection, request.spec, request.image, now),
            instance_id=instance_id,
            state="running",
            logical_date=request.logical_date,
            conf=json.dumps(request.conf),
            params=json.dumps(_params(request)),
            created_at=now,
        )
    )
    run_pk = _pk(inserted)
    connection.execute(insert(journal).values(run_pk=run_pk, kind="state", at=now, text="running"))
    _add_instances(connection, run_pk, request)
    _preset_xcoms(connection, run_pk, request.inputs or {})
    return run_pk


def is_inline(task: TaskSpec) -> bool:
    """Say whether a task runs in the control plane itself."""
    return isinstance(task.action, HttpAction) and task.action.execution_mode == "inline"


def parse_spec(text: str) -> DagSpec:
    """Read a stored DagSpec. The same text gives the same object."""
    return _parse(text)


def find_run(connection: Connection, key: RunKey) -> Row[Any]:
    """Return the row of a run with its ``spec`` and ``image``; KeyError if there is none."""
    row = connection.execute(_FIND_RUN, key._asdict()).one_or_none()
    if row is None:
        raise KeyError(key)
    return row


def find_instances(connection: Connection, run_pk: int) -> Sequence[Row[Any]]:
    """Return the rows of a run's task instances, in the order of the DAG."""
    return connection.execute(_FIND_INSTANCES, {"run_pk": run_pk}).all()


def make_snapshot(run: Row[Any], instances: Sequence[Row[Any]]) -> RunSnapshot:
    """Give everything that a decision about a run depends on."""
    return RunSnapshot(
        state=run.state,
        tasks=parse_spec(run.spec).tasks,
        cancelled=run.cancelled,
        instances=tuple(
            Instance(row.task_id, row.state, row.map_index, row.try_number, row.due_at)
            for row in instances
        ),
    )


def cancel_run(connection: Connection, key: RunKey) -> bool:
    """Mark a run as cancelled; False if it has ended already."""
    run = find_run(connection, key)
    if run.state in FINISHED_RUN:
        return False
    connection.execute(update(runs).where(runs.c.id == run.id).values(cancelled=True))
    return True


def fail_orphans(
    connection: Connection, is_alive: Callable[[str], bool], now: float
) -> list[RunKey]:
    """End the runs and close the tries of processes that are no more, and return these runs."""
    unfinished = select(runs).where(runs.c.state.not_in(FINISHED_RUN))
    orphans = [row for row in connection.execute(unfinished) if not is_alive(row.instance_id)]
    for run in orphans:
        _fail_instances(connection, run.id, now)
        move_run(connection, run.id, "failed", now, LOST)
    open_tries = select(tries.c.instance_id).where(tries.c.ended_at.is_(None)).distinct()
    for instance_id in connection.execute(open_tries).scalars().all():
        if not is_alive(instance_id):
            connection.execute(
                update(tries)
                .where(tries.c.instance_id == instance_id, tries.c.ended_at.is_(None))
                .values(ended_at=now, deadline_at=None)
            )
    return [RunKey(run.dag_id, run.run_id) for run in orphans]


def _fail_instances(connection: Connection, run_pk: int, now: float) -> None:
    for row in find_instances(connection, run_pk):
        if row.state in ("queued", "running", "up_for_retry"):
            move_instance(connection, row, "failed", now, reason=LOST)
            connection.execute(
                update(tries)
                .where(tries.c.task_instance_pk == row.id, tries.c.state.is_(None))
                .values(state="failed", reason=LOST)
            )
        elif row.state in (None, "scheduled"):
            move_instance(connection, row, "skipped", now, reason=LOST)


def _register(connection: Connection, spec: DagSpec, image: str, now: float) -> int:
    text = _SPEC.dump_json(spec).decode()
    digest = hashlib.sha256(text.encode()).hexdigest()
    known = connection.execute(
        select(dag_versions.c.id).where(
            dag_versions.c.dag_id == spec.dag_id,
            dag_versions.c.spec_hash == digest,
            dag_versions.c.image == image,
        )
    ).scalar_one_or_none()
    if known is not None:
        return int(known)
    inserted = connection.execute(
        insert(dag_versions).values(
            dag_id=spec.dag_id, spec_hash=digest, image=image, spec=text, created_at=now
        )
    )
    return _pk(inserted)


def _add_instances(connection: Connection, run_pk: int, request: RunRequest) -> None:
    rows = [
        {
            "run_pk": run_pk,
            "task_id": task.task_id,
            "map_index": NOT_MAPPED,
            "inline": is_inline(task),
        }
        for task in request.spec.tasks
        if request.task_id in (None, task.task_id)
    ]
    if rows:
        connection.execute(insert(task_instances), rows)


def _preset_xcoms(connection: Connection, run_pk: int, inputs: Mapping[str, Any]) -> None:
    for task_id, value in inputs.items():
        connection.execute(
            insert(xcoms).values(
                run_pk=run_pk,
                task_id=task_id,
                map_index=NOT_MAPPED,
                key="return_value",
                value=json.dumps(value),
            )
        )


def _params(request: RunRequest) -> dict[str, Any]:
    """Give the DAG's params; as in Airflow, ``conf`` overrides those that it names."""
    return {name: request.conf.get(name, value) for name, value in request.spec.params.items()}


def _pk(result: Any) -> int:
    return int(result.inserted_primary_key[0])


@lru_cache(maxsize=64)
def _parse(text: str) -> DagSpec:
    return _SPEC.validate_json(text)
