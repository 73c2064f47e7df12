"""The rows that commands leave, written as a control plane would leave them; it starts nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from leoflow_agent.spec import BuiltDag, DagSpec
from leoflow_controlplane.command import (
    BackfillRequest,
    Registered,
    TaskRef,
    TaskSelection,
    Trigger,
)
from leoflow_controlplane.error import Conflict, NotFound
from leoflow_controlplane.model import FINISHED, FINISHED_RUN, SERVER, RunKey
from leoflow_controlplane.schema import (
    backfills,
    dag_versions,
    dags,
    journal,
    runs,
    task_instances,
    tries,
    xcoms,
)
from pydantic import TypeAdapter
from sqlalchemy import Connection, delete, func, insert, select, update

SPEC = TypeAdapter(DagSpec)


def register_dag(connection: Connection, built: BuiltDag, now: float) -> Registered:
    spec, image = built.spec, built.image
    text = SPEC.dump_json(spec).decode()
    name = f"{hash((text, image.reference)) & (2**63 - 1):064x}"
    found = connection.execute(
        select(dag_versions).where(
            dag_versions.c.dag_id == spec.dag_id, dag_versions.c.spec_hash == name
        )
    ).first()
    if found is not None:
        return Registered(spec.dag_id, found.version_number, False)
    number = connection.execute(
        select(func.count()).where(dag_versions.c.dag_id == spec.dag_id)
    ).scalar_one()
    version = {
        "dag_id": spec.dag_id,
        "version_number": number + 1,
        "spec_hash": name,
        "image": image.reference,
        "image_digest": image.digest,
        "spec": text,
        "created_at": now,
    }
    key = connection.execute(insert(dag_versions).values(version)).inserted_primary_key[0]
    current = {"dag_version_id": key, "is_paused": False, "created_at": now}
    if number:
        connection.execute(
            update(dags).where(dags.c.dag_id == spec.dag_id).values(dag_version_id=key)
        )
    else:
        connection.execute(insert(dags).values(dag_id=spec.dag_id, **current))
    return Registered(spec.dag_id, number + 1, True)


def _dag(connection: Connection, dag_id: str) -> Any:
    found = connection.execute(select(dags).where(dags.c.dag_id == dag_id)).first()
    if found is None:
        raise NotFound(f"there is no DAG '{dag_id}'.")
    return found


def _run(connection: Connection, key: RunKey) -> Any:
    found = connection.execute(
        select(runs).where(runs.c.dag_id == key.dag_id, runs.c.run_id == key.run_id)
    ).first()
    if found is None:
        raise NotFound(f"DAG '{key.dag_id}' has no run '{key.run_id}'.")
    return found


def delete_dag(connection: Connection, dag_id: str) -> None:
    _dag(connection, dag_id)
    open_run = select(runs.c.id).where(runs.c.dag_id == dag_id, runs.c.finished_at.is_(None))
    if connection.execute(open_run).first():
        raise Conflict(f"a run of DAG '{dag_id}' is not over.")
    for table in (dags, runs, dag_versions):
        connection.execute(delete(table).where(table.c.dag_id == dag_id))


def pause_dag(connection: Connection, dag_id: str, paused: bool) -> None:
    _dag(connection, dag_id)
    connection.execute(update(dags).where(dags.c.dag_id == dag_id).values(is_paused=paused))


def trigger(connection: Connection, dag_id: str, trigger: Trigger, now: float) -> RunKey:
    dag = _dag(connection, dag_id)
    date = trigger.logical_date or "2026-01-31T00:00:00+00:00"
    key = RunKey(dag_id, trigger.run_id or f"manual__{now}")
    taken = select(runs.c.id).where(runs.c.dag_id == dag_id, runs.c.run_id == key.run_id)
    if connection.execute(taken).first():
        raise Conflict(f"DAG '{dag_id}' has a run '{key.run_id}' already.")
    row = {
        "dag_id": dag_id,
        "run_id": key.run_id,
        "dag_version_id": dag.dag_version_id,
        "instance_id": SERVER,
        "run_type": "manual",
        "state": "running",
        "logical_date": date,
        "data_interval_start": trigger.data_interval_start or date,
        "data_interval_end": trigger.data_interval_end or date,
        "logical_at": now,
        "conf": json.dumps(dict(trigger.conf)),
        "params": "{}",
        "traceparent": trigger.traceparent,
        "triggered_by": trigger.triggered_by,
        "note": trigger.note,
        "created_at": now,
        "started_at": now,
    }
    pk = connection.execute(insert(runs).values(row)).inserted_primary_key[0]
    text = connection.execute(
        select(dag_versions.c.spec).where(dag_versions.c.id == dag.dag_version_id)
    ).scalar_one()
    for position, task in enumerate(json.loads(text)["tasks"]):
        connection.execute(
            insert(task_instances).values(
                run_pk=pk,
                task_id=task["task_id"],
                map_index=-1,
                position=position,
                state="scheduled",
                try_number=0,
                max_tries=0,
                scheduled_at=now,
            )
        )
    return key


def set_run(connection: Connection, key: RunKey, state: str, now: float) -> None:
    run = _run(connection, key)
    finished_at = now if state in FINISHED_RUN else None
    connection.execute(
        update(runs).where(runs.c.id == run.id).values(state=state, finished_at=finished_at)
    )


def delete_run(connection: Connection, key: RunKey) -> None:
    run = _run(connection, key)
    if run.finished_at is None:
        raise Conflict(f"run '{key.run_id}' is not over.")
    connection.execute(delete(runs).where(runs.c.id == run.id))


def set_tasks(
    connection: Connection, key: RunKey, selection: TaskSelection, state: str, dry_run: bool
) -> list[TaskRef]:
    run = _run(connection, key)
    rows = connection.execute(
        select(task_instances)
        .where(task_instances.c.run_pk == run.id)
        .order_by(task_instances.c.position)
    ).all()
    known = {row.task_id for row in rows}
    for name in selection.tasks or ():
        if (name if isinstance(name, str) else name[0]) not in known:
            raise NotFound(f"run '{key.run_id}' has no task '{name}'.")
    chosen = [row for row in rows if _is_chosen(row, selection)]
    if not dry_run:
        for row in chosen:
            connection.execute(
                update(task_instances)
                .where(task_instances.c.run_pk == run.id, task_instances.c.task_id == row.task_id)
                .values(state=state)
            )
    return [TaskRef(key, row.task_id, row.map_index) for row in chosen]


def _is_chosen(row: Any, selection: TaskSelection) -> bool:
    if selection.only_failed and row.state != "failed":
        return False
    if selection.only_running and row.state != "running":
        return False
    tasks: Sequence[Any] | None = selection.tasks
    return tasks is None or row.task_id in tasks or (row.task_id, row.map_index) in tasks


def add_backfill(connection: Connection, request: BackfillRequest, now: float) -> int:
    _dag(connection, request.dag_id)
    row = {
        "dag_id": request.dag_id,
        "from_date": request.from_date,
        "to_date": request.to_date,
        "conf": json.dumps(dict(request.conf)),
        "max_active_runs": request.max_active_runs,
        "reprocess_behavior": request.reprocess_behavior,
        "run_backwards": request.run_backwards,
        "created_at": now,
    }
    return int(connection.execute(insert(backfills).values(row)).inserted_primary_key[0])


def change_backfill(connection: Connection, key: int, action: str, now: float) -> None:
    found = connection.execute(select(backfills).where(backfills.c.id == key)).first()
    if found is None:
        raise NotFound(f"there is no backfill {key}.")
    if found.finished_at is not None:
        raise Conflict(f"backfill {key} is over.")
    change = {"finished_at": now} if action == "cancel" else {"is_paused": action == "pause"}
    connection.execute(update(backfills).where(backfills.c.id == key).values(**change))


def play_try(
    connection: Connection,
    key: RunKey,
    task_id: str,
    lines: Sequence[str],
    state: str | None,
    now: float,
    fields: dict[str, Any],
) -> None:
    pk = _run(connection, key).id
    here = (task_instances.c.run_pk == pk) & (task_instances.c.task_id == task_id)
    row = connection.execute(select(task_instances).where(here)).one()
    number = fields.get("try_number", max(1, row.try_number))
    change = {"state": state or "running", "try_number": number, "started_at": now}
    if state in FINISHED:
        change["finished_at"] = now + 1
    connection.execute(update(task_instances).where(here).values(**change))
    name = {"run_pk": pk, "task_id": task_id, "map_index": -1, "try_number": number}
    connection.execute(
        delete(tries).where(*(tries.c[column] == value for column, value in name.items()))
    )
    instants = {f"{phase}_at": now for phase in ("scheduled", "dispatched", "created")}
    if state in FINISHED and fields.get("gone", True):
        instants["ended_at"] = now + 1
    connection.execute(
        insert(tries).values(**name, inline=False, state=state, **instants, reported_at=now + 1)
    )
    for text in lines:
        line = {"kind": "log", "at": now, "text": text, "stream": "stdout"}
        connection.execute(insert(journal).values(**name, **line))
    if "value" in fields:
        value = {"key": "return_value", "value": json.dumps(fields["value"])}
        connection.execute(insert(xcoms).values(run_pk=pk, task_id=task_id, map_index=-1, **value))
