"""Carry a run forward: write down what is decided and hand out the tries that may start now.

This is the step between a report and the start of its successors, so it is one transaction.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, bindparam, delete, func, select

from leoflow_controlplane.decision import FinishRun, Move, decide
from leoflow_controlplane.inputs import needed_xcoms, resolve_inputs
from leoflow_controlplane.model import RunKey, TryKey
from leoflow_controlplane.schema import dag_versions, runs, task_instances, tries, xcoms
from leoflow_controlplane.store.attempt import Policy, count_open, insert_try
from leoflow_controlplane.store.result import load_xcoms
from leoflow_controlplane.store.run import find_instances, find_run, make_snapshot, parse_spec
from leoflow_controlplane.store.transition import move_instance, move_run
from leoflow_controlplane.workload import Dispatch, RunContext, hash_token

_RUN = (runs.c.dag_id, runs.c.run_id, runs.c.logical_date, runs.c.conf, runs.c.params)
_WAITING = (
    select(task_instances, *_RUN, dag_versions.c.spec, dag_versions.c.image)
    .join(runs, runs.c.id == task_instances.c.run_pk)
    .join(dag_versions, dag_versions.c.id == runs.c.dag_version_id)
    .where(task_instances.c.state == "scheduled")
    .where(runs.c.instance_id == bindparam("instance_id"))
    .where(task_instances.c.inline == bindparam("inline"))
    .order_by(task_instances.c.scheduled_at, task_instances.c.id)
    .limit(bindparam("most"))
)
_NEXT_RETRY = (
    select(func.min(task_instances.c.due_at))
    .join(runs, runs.c.id == task_instances.c.run_pk)
    .where(task_instances.c.state == "up_for_retry")
    .where(runs.c.instance_id == bindparam("instance_id"))
)
_NEXT_DEADLINE = (
    select(func.min(tries.c.deadline_at))
    .where(tries.c.instance_id == bindparam("instance_id"))
    .where(tries.c.ended_at.is_(None))
)
_NEXT_DUE = select(_NEXT_RETRY.scalar_subquery(), _NEXT_DEADLINE.scalar_subquery())


class Progress(NamedTuple):
    """What a step led to. ``next_due`` is the first instant at which a timer has work."""

    dispatches: tuple[Dispatch, ...]
    next_due: float | None


def advance(connection: Connection, policy: Policy, keys: Iterable[RunKey], now: float) -> Progress:
    """Decide the runs ``keys``, then hand out what may start within the limits of this process."""
    for key in keys:
        _carry_out(connection, key, now)
    return Progress(
        dispatches=tuple(_hand_out(connection, policy, now)),
        next_due=find_next_due(connection, policy.instance_id),
    )


def find_due_runs(connection: Connection, instance_id: str, now: float) -> list[RunKey]:
    """Name the runs of this process that have a retry whose time has come."""
    rows = connection.execute(
        select(runs.c.dag_id, runs.c.run_id)
        .join(task_instances, task_instances.c.run_pk == runs.c.id)
        .where(task_instances.c.state == "up_for_retry", task_instances.c.due_at <= now)
        .where(runs.c.instance_id == instance_id)
        .distinct()
    )
    return [RunKey(row.dag_id, row.run_id) for row in rows]


def find_next_due(connection: Connection, instance_id: str) -> float | None:
    """Give the first instant at which a retry or a deadline of this process is due, or None."""
    due = connection.execute(_NEXT_DUE, {"instance_id": instance_id}).one()
    return min((at for at in due if at is not None), default=None)


def _carry_out(connection: Connection, key: RunKey, now: float) -> None:
    run = find_run(connection, key)
    rows = find_instances(connection, run.id)
    decisions = decide(make_snapshot(run, rows), now)
    if not decisions:
        return
    instances = {(row.task_id, row.map_index): row for row in rows}
    for decision in decisions:
        if isinstance(decision, FinishRun):
            reason = "the run was cancelled" if run.cancelled else None
            move_run(connection, run.id, decision.state, now, reason)
        else:
            _apply(connection, instances[decision.task_id, decision.map_index], decision, now)


def _apply(connection: Connection, instance: Row[Any], move: Move, now: float) -> None:
    values: dict[str, Any] = {"reason": move.reason}
    if move.state == "scheduled":
        values["scheduled_at"] = now
    move_instance(connection, instance, move.state, now, **values)


def _hand_out(connection: Connection, policy: Policy, now: float) -> list[Dispatch]:
    settings = policy.settings
    open_ones = count_open(connection, policy.instance_id)
    dispatches = []
    for inline, limit in ((False, settings.max_parallel_tasks), (True, settings.max_inline_calls)):
        free = limit - open_ones.get(inline, 0)
        if free > 0:
            waiting = _waiting(connection, policy.instance_id, inline, free)
            dispatches += [_dispatch(connection, policy, row, now) for row in waiting]
    return dispatches


def _waiting(
    connection: Connection, instance_id: str, inline: bool, limit: int
) -> Sequence[Row[Any]]:
    wanted = {"instance_id": instance_id, "inline": inline, "most": limit}
    return connection.execute(_WAITING, wanted).all()


def _dispatch(connection: Connection, policy: Policy, row: Row[Any], now: float) -> Dispatch:
    dag = parse_spec(row.spec)
    task = dag.task(row.task_id)
    key = TryKey(row.dag_id, row.run_id, row.task_id, row.map_index, row.try_number + 1)
    token, inline = policy.new_token(), row.inline
    artifacts = policy.artifacts_folder(key) if task.artifacts and not inline else None
    _forget_values(connection, row)
    move_instance(connection, row, "queued", now, try_number=key.try_number)
    insert_try(
        connection,
        row.id,
        {
            "try_number": key.try_number,
            "instance_id": policy.instance_id,
            "inline": inline,
            "token_hash": hash_token(token),
            "deadline_at": None if inline else now + policy.settings.start_allowance_seconds,
            "artifacts": artifacts,
            "scheduled_at": row.scheduled_at,
            "dispatched_at": now,
        },
    )
    values = load_xcoms(connection, row.run_pk, needed_xcoms(task.action))
    return Dispatch(
        key=key,
        dag=dag,
        task=task,
        image=row.image,
        run=_context(row._mapping),
        inputs=resolve_inputs(task.action, values),
        token=token,
        inline=inline,
        artifacts=artifacts,
    )


def _forget_values(connection: Connection, row: Row[Any]) -> None:
    """Drop what an earlier try left, so that nobody downstream reads it as this one's."""
    if row.try_number:
        connection.execute(
            delete(xcoms).where(
                xcoms.c.run_pk == row.run_pk,
                xcoms.c.task_id == row.task_id,
                xcoms.c.map_index == row.map_index,
            )
        )


def _context(row: Mapping[Any, Any]) -> RunContext:
    return RunContext(
        logical_date=row["logical_date"],
        data_interval_start=row["logical_date"],
        data_interval_end=row["logical_date"],
        params=json.loads(row["params"]),
        conf=json.loads(row["conf"]),
    )
