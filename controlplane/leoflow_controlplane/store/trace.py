"""What a run that is over looked like in time: its tasks, their tries, and when what happened."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, Row, select

from leoflow_controlplane.error import NotFound
from leoflow_controlplane.model import PHASES, RunKey
from leoflow_controlplane.schema import runs, task_instances, tries


class TracedTry(NamedTuple):
    """A try; ``instants`` by phase, those that are known."""

    try_number: int
    state: str | None
    reason: str | None
    inline: bool
    instants: dict[str, float]


class TracedTask(NamedTuple):
    """A task instance and its tries, the first one first."""

    task_id: str
    map_index: int
    state: str | None
    reason: str | None
    scheduled_at: float | None
    finished_at: float | None
    tries: tuple[TracedTry, ...]


class TracedRun(NamedTuple):
    """A run. Instants are seconds since the epoch."""

    key: RunKey
    run_type: str
    state: str
    reason: str | None
    traceparent: str | None
    created_at: float
    finished_at: float | None
    tasks: tuple[TracedTask, ...]


def load_traced_run(connection: Connection, key: RunKey) -> TracedRun:
    """Read a run; NotFound if there is none."""
    query = select(runs).where(runs.c.dag_id == key.dag_id, runs.c.run_id == key.run_id)
    run = connection.execute(query).one_or_none()
    if run is None:
        raise NotFound(f"DAG '{key.dag_id}' has no run '{key.run_id}'.")
    by_instance: dict[tuple[str, int], list[TracedTry]] = {}
    query = select(tries).where(tries.c.run_pk == run.id).order_by(tries.c.try_number)
    for row in connection.execute(query):
        by_instance.setdefault((row.task_id, row.map_index), []).append(_try(row))
    query = select(task_instances).where(task_instances.c.run_pk == run.id)
    query = query.order_by(task_instances.c.position, task_instances.c.map_index)
    tasks = tuple(
        TracedTask(
            row.task_id,
            row.map_index,
            row.state,
            row.reason,
            row.scheduled_at,
            row.finished_at,
            tuple(by_instance.get((row.task_id, row.map_index), ())),
        )
        for row in connection.execute(query)
    )
    ends = (run.traceparent, run.created_at, run.finished_at)
    return TracedRun(key, run.run_type, run.state, run.reason, *ends, tasks)


def _try(row: Row[tuple[object, ...]]) -> TracedTry:
    values = row._mapping
    instants: dict[str, float] = {
        phase: values[f"{phase}_at"] for phase in PHASES if values[f"{phase}_at"] is not None
    }
    return TracedTry(row.try_number, row.state, row.reason, row.inline, instants)
