"""Change one state, checked against the model and written to the journal in the same step."""

from __future__ import annotations

from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, bindparam, insert, update

from leoflow_controlplane.error import IllegalTransition
from leoflow_controlplane.model import TRANSITIONS, RunState, TaskState
from leoflow_controlplane.schema import journal, runs, task_instances

_MOVE_INSTANCE = (
    update(task_instances)
    .where(task_instances.c.id == bindparam("instance_pk"))
    .where(task_instances.c.state.is_not_distinct_from(bindparam("old_state")))
)
_WRITE = insert(journal)


class Standing(NamedTuple):
    """A task instance as it is known to stand; a row of task_instances has the same names."""

    id: int
    run_pk: int
    task_id: str
    map_index: int
    try_number: int
    state: TaskState | None


def move_instance(
    connection: Connection,
    instance: Standing | Row[Any],
    state: TaskState,
    now: float,
    **values: Any,
) -> None:
    """Bring a task instance into ``state``; IllegalTransition if the model has no such way.

    ``values`` are further columns to set.
    """
    if state not in TRANSITIONS.get(instance.state, frozenset()):
        raise IllegalTransition(
            f"task '{instance.task_id}' cannot go from '{instance.state}' to '{state}'"
        )
    values = {"reason": None, "due_at": None, **values}
    place = {"instance_pk": instance.id, "old_state": instance.state}
    changed = connection.execute(_MOVE_INSTANCE, {**place, "state": state, **values})
    if changed.rowcount != 1:
        raise IllegalTransition(f"task '{instance.task_id}' is no longer '{instance.state}'")
    connection.execute(
        _WRITE,
        {
            "run_pk": instance.run_pk,
            "kind": "state",
            "at": now,
            "text": state,
            "task_id": instance.task_id,
            "map_index": instance.map_index,
            "try_number": values.get("try_number", instance.try_number),
            "reason": values["reason"],
        },
    )


def move_run(
    connection: Connection, run_pk: int, state: RunState, now: float, reason: str | None = None
) -> None:
    """End a run; IllegalTransition if it has ended already."""
    changed = connection.execute(
        update(runs)
        .where(runs.c.id == run_pk, runs.c.finished_at.is_(None))
        .values(state=state, finished_at=now, reason=reason)
    )
    if changed.rowcount != 1:
        raise IllegalTransition(f"run {run_pk} cannot become '{state}': it has ended already")
    connection.execute(
        insert(journal).values(run_pk=run_pk, kind="state", at=now, text=state, reason=reason)
    )
