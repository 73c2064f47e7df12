"""Tries: written down, given a verdict, closed when their container is gone, found when overdue."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from leoflow_agent.spec import TaskSpec
from sqlalchemy import Connection, Row, Select, bindparam, func, insert, select, update

from leoflow_controlplane.decision import state_after_failure
from leoflow_controlplane.model import TaskState, TryKey
from leoflow_controlplane.schema import dag_versions, runs, task_instances, tries
from leoflow_controlplane.setting import Settings
from leoflow_controlplane.store.run import parse_spec
from leoflow_controlplane.store.transition import Standing, move_instance
from leoflow_controlplane.verdict import Exit, Verdict, explain_failure


class Policy(NamedTuple):
    """Who writes, within which limits, and where fresh secrets come from."""

    instance_id: str
    settings: Settings
    new_token: Callable[[], str]
    artifacts_folder: Callable[[TryKey], str]


class Overdue(NamedTuple):
    """A try whose deadline has passed. ``verdict_given``: only its container is still there."""

    key: TryKey
    verdict_given: bool
    told_to_stop: bool
    agent_seen: bool
    task: TaskSpec


def _try_rows() -> Select[Any]:
    instance = [column.label(f"ti_{column.name}") for column in task_instances.c]
    return (
        select(
            tries, *instance, runs.c.dag_id, runs.c.run_id, runs.c.cancelled, dag_versions.c.spec
        )
        .join(task_instances, task_instances.c.id == tries.c.task_instance_pk)
        .join(runs, runs.c.id == task_instances.c.run_pk)
        .join(dag_versions, dag_versions.c.id == runs.c.dag_version_id)
    )


# Tries with what is needed around them; the instance's columns are ``ti_…``.
TRY_ROWS = _try_rows()
_FIND_TRY = TRY_ROWS.where(
    runs.c.dag_id == bindparam("dag_id"),
    runs.c.run_id == bindparam("run_id"),
    task_instances.c.task_id == bindparam("task_id"),
    task_instances.c.map_index == bindparam("map_index"),
    tries.c.try_number == bindparam("try_number"),
)
_COUNT_OPEN = (
    select(tries.c.inline, func.count())
    .where(tries.c.instance_id == bindparam("instance_id"), tries.c.state.is_(None))
    .group_by(tries.c.inline)
)
_INSERT_TRY = insert(tries)
_UPDATE_TRY = update(tries).where(tries.c.id == bindparam("try_pk"))


def find_try(connection: Connection, key: TryKey) -> Row[Any]:
    """Return the joined row of a try; KeyError if there is none."""
    row = connection.execute(_FIND_TRY, key._asdict()).one_or_none()
    if row is None:
        raise KeyError(key)
    return row


def key_of(row: Row[Any]) -> TryKey:
    """Name the try of a joined row."""
    return TryKey(row.dag_id, row.run_id, row.ti_task_id, row.ti_map_index, row.try_number)


def task_of(row: Row[Any]) -> TaskSpec:
    """Give the task of a joined row as it was written."""
    return parse_spec(row.spec).task(row.ti_task_id)


def is_current(row: Row[Any]) -> bool:
    """Say whether a try is still the one that counts: the latest, and without a verdict."""
    return row.state is None and row.try_number == row.ti_try_number


def insert_try(connection: Connection, instance_pk: int, values: Mapping[str, Any]) -> None:
    """Write down a try that is about to be started."""
    connection.execute(_INSERT_TRY, {"task_instance_pk": instance_pk, **values})


def count_open(connection: Connection, instance_id: str) -> dict[bool, int]:
    """Count the tries of this process that have no verdict yet, by whether they are inline."""
    rows = connection.execute(_COUNT_OPEN, {"instance_id": instance_id})
    return {bool(inline): count for inline, count in rows}


def mark_running(connection: Connection, row: Row[Any], now: float) -> None:
    """Note that the task of a try runs; harmless when that is known."""
    if row.ti_state == "queued":
        move_instance(connection, _instance(row), "running", now)


def give_verdict(
    connection: Connection,
    row: Row[Any],
    verdict: Verdict,
    now: float,
    **values: Any,
) -> TaskState:
    """End a try and bring its task instance where that leaves it; return that state.

    ``values`` are further columns of the try. The try must be current.
    """
    state: TaskState = verdict.state
    due_at = None
    if state == "failed":
        retryable = verdict.retryable and not row.cancelled
        state, due_at = state_after_failure(task_of(row), row.try_number, now, retryable=retryable)
    update_try(
        connection,
        row.id,
        {"state": verdict.state, "reason": verdict.reason, "reported_at": now, **values},
    )
    move_instance(connection, _instance(row), state, now, due_at=due_at, reason=verdict.reason)
    return state


def close_try(
    connection: Connection, key: TryKey, end: Exit, instants: Mapping[str, float], now: float
) -> bool:
    """Note that the container of a try is gone; True if the try still lacks a verdict."""
    row = find_try(connection, key)
    values: dict[str, Any] = {f"{phase}_at": at for phase, at in instants.items()}
    values |= {"deadline_at": None, "exit_code": end.code, "oom_killed": end.oom_killed}
    values.setdefault("ended_at", now)
    if row.state == "failed":
        code = row.exit_code if row.exit_code is not None else end.code
        reason = explain_failure(row.reason, end._replace(code=code), task_of(row))
        values |= {"reason": reason, "exit_code": code}
        _explain(connection, row, reason)
    update_try(connection, row.id, values)
    return is_current(row)


def ask_to_stop(connection: Connection, key: TryKey, reason: str, deadline_at: float) -> bool:
    """Note that a try has to stop; False if it is over or was told before."""
    row = find_try(connection, key)
    if not is_current(row) or row.terminate is not None:
        return False
    update_try(connection, row.id, {"terminate": reason, "deadline_at": deadline_at})
    return True


def open_tries(connection: Connection, run_pk: int) -> list[TryKey]:
    """Name the tries of a run whose containers may still be there."""
    rows = connection.execute(
        TRY_ROWS.where(runs.c.id == run_pk, tries.c.ended_at.is_(None)).order_by(tries.c.id)
    )
    return [key_of(row) for row in rows]


def find_overdue(connection: Connection, instance_id: str, now: float) -> list[Overdue]:
    """Name the tries whose deadline has passed, and forget these deadlines."""
    rows = connection.execute(
        TRY_ROWS.where(tries.c.instance_id == instance_id, tries.c.deadline_at <= now)
    ).all()
    for row in rows:
        update_try(connection, row.id, {"deadline_at": None})
    return [
        Overdue(
            key=key_of(row),
            verdict_given=not is_current(row),
            told_to_stop=row.terminate is not None,
            agent_seen=row.agent_up_at is not None,
            task=task_of(row),
        )
        for row in rows
    ]


def update_try(connection: Connection, try_pk: int, values: Mapping[str, Any]) -> None:
    """Set columns of a try."""
    connection.execute(_UPDATE_TRY, {"try_pk": try_pk, **values})


def _instance(row: Row[Any]) -> Standing:
    return Standing(
        row.ti_id, row.ti_run_pk, row.ti_task_id, row.ti_map_index, row.ti_try_number, row.ti_state
    )


def _explain(connection: Connection, row: Row[Any], reason: str | None) -> None:
    if row.try_number == row.ti_try_number and reason != row.reason:
        connection.execute(
            update(task_instances)
            .where(task_instances.c.id == row.task_instance_pk)
            .values(reason=reason)
        )
