"""What happens next in a run, as a pure function of its snapshot and the clock.

Reads no database and starts nothing; ``store.progress`` carries the decisions out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from leoflow_agent.spec import TaskSpec

from leoflow_controlplane.model import (
    FINISHED,
    FINISHED_RUN,
    RunSnapshot,
    RunState,
    TaskInstance,
    TaskState,
)
from leoflow_controlplane.trigger import evaluate_trigger_rule


class Move(NamedTuple):
    """A task instance is to change its state."""

    task_id: str
    map_index: int
    state: TaskState
    reason: str | None = None


class FinishRun(NamedTuple):
    """The run is over."""

    state: RunState


Decision = Move | FinishRun

_STATE_OF = {"run": "scheduled", "skip": "skipped", "upstream_failed": "upstream_failed"}


def decide(snapshot: RunSnapshot, now: float) -> list[Decision]:
    """List everything that can be decided now, in topological order.

    Skips and upstream failures are followed to the end of the graph, so that one call is
    enough; the order of ``snapshot.instances`` does not matter. A finished run has no decisions.
    """
    if snapshot.state in FINISHED_RUN:
        return []
    states = {item.task_id: item.state for item in snapshot.instances}
    by_task = {item.task_id: item for item in snapshot.instances}
    decisions: list[Decision] = []
    for task in snapshot.tasks:
        if task.task_id not in by_task:
            continue
        move = _move(snapshot, task, by_task[task.task_id], states, now)
        if move:
            states[task.task_id] = move.state
            decisions.append(move)
    if all(state in FINISHED for state in states.values()):
        decisions.append(FinishRun(_run_state(snapshot, states)))
    return decisions


def next_due(snapshot: RunSnapshot) -> float | None:
    """Return the first instant at which a retry of this run becomes due, or None."""
    due = (i.due_at for i in snapshot.instances if i.state == "up_for_retry")
    return min((instant for instant in due if instant is not None), default=None)


def state_after_failure(
    task: TaskSpec, try_number: int, now: float, *, retryable: bool = True
) -> tuple[TaskState, float | None]:
    """Say what a failed try leaves behind: ``up_for_retry`` and when it is due, or ``failed``."""
    if retryable and try_number <= task.retries:
        return "up_for_retry", now + task.retry_delay_seconds
    return "failed", None


def _move(
    snapshot: RunSnapshot,
    task: TaskSpec,
    instance: TaskInstance,
    states: dict[str, TaskState | None],
    now: float,
) -> Move | None:
    if snapshot.cancelled:
        return _cancelled(instance)
    if instance.state == "up_for_retry" and (instance.due_at is None or instance.due_at <= now):
        return Move(task.task_id, instance.map_index, "scheduled")
    if instance.state is None:
        return _triggered(task, instance, states)
    return None


def _cancelled(instance: TaskInstance) -> Move | None:
    if instance.state in (None, "scheduled"):
        return Move(instance.task_id, instance.map_index, "skipped", "the run was cancelled")
    if instance.state == "up_for_retry":
        return Move(instance.task_id, instance.map_index, "failed", "the run was cancelled")
    return None


def _triggered(
    task: TaskSpec, instance: TaskInstance, states: dict[str, TaskState | None]
) -> Move | None:
    upstream = [task_id for task_id in task.upstream_task_ids if task_id in states]
    outcome = evaluate_trigger_rule(task.trigger_rule, (states[task_id] for task_id in upstream))
    if outcome == "wait":
        return None
    reason = _reason(task, outcome, [(task_id, states[task_id]) for task_id in upstream])
    state: TaskState = _STATE_OF[outcome]  # type: ignore[assignment]
    return Move(task.task_id, instance.map_index, state, reason)


def _reason(
    task: TaskSpec, outcome: str, upstream: list[tuple[str, TaskState | None]]
) -> str | None:
    if outcome == "run":
        return None
    ended = ", ".join(f"'{name}' {state}" for name, state in upstream if state in FINISHED)
    return f"trigger rule '{task.trigger_rule}' with upstream {ended}"


def _run_state(snapshot: RunSnapshot, states: dict[str, TaskState | None]) -> RunState:
    if snapshot.cancelled:
        return "failed"
    failed = any(
        states[leaf] in ("failed", "upstream_failed") for leaf in _leaves(snapshot, states)
    )
    return "failed" if failed else "success"


def _leaves(snapshot: RunSnapshot, states: dict[str, TaskState | None]) -> Iterator[str]:
    inner = {
        up for task in snapshot.tasks if task.task_id in states for up in task.upstream_task_ids
    }
    return (task_id for task_id in states if task_id not in inner)
