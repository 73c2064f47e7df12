"""The spans of a run's trace: the run, its tasks, their tries with each phase as an event. Pure.

Ids follow from what a span is of. That of a try is the one which its container was given in
TRACEPARENT, so that what the task's own code traces hangs below it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import NamedTuple

from leoflow_controlplane.model import NOT_MAPPED, RunKey, TryKey
from leoflow_controlplane.store.trace import TracedRun, TracedTask, TracedTry
from leoflow_controlplane.traceparent import continue_trace, own_trace

# W3C Trace Context, 3.2.2.5.
_SAMPLED = 1
FAILED = ("failed", "upstream_failed")


class Span(NamedTuple):
    """One span; instants are seconds since the epoch, ids are hexadecimal. ``trouble``: why it
    failed, None if it did not."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str | None
    start: float
    end: float
    attributes: dict[str, str | int]
    events: tuple[tuple[str, float], ...] = ()
    trouble: str | None = None


def make_spans(run: TracedRun) -> Iterator[Span]:
    """Give the spans of a run that is over, parents first; none if its caller wants none."""
    parent = run.traceparent or own_trace(run.key)
    _, trace_id, outer, flags = parent.split("-")[:4]
    if not int(flags, 16) & _SAMPLED:
        return
    # Without a caller's trace the run itself is the root, with the id that its tries were told of.
    span_id = _id(parent, run.key) if run.traceparent else outer
    end = max(run.finished_at or run.created_at, run.created_at)
    yield Span(
        f"run {run.key.dag_id}",
        trace_id,
        span_id,
        outer if run.traceparent else None,
        run.created_at,
        end,
        {**_ids(run.key), "leoflow.run_type": run.run_type, "leoflow.state": run.state},
        trouble=_trouble(run.state, run.reason),
    )
    for task in run.tasks:
        yield from _task_spans(run, task, parent, span_id)


def _task_spans(run: TracedRun, task: TracedTask, parent: str, run_span: str) -> Iterator[Span]:
    begins = [at for one in task.tries for at in one.instants.values()]
    start = min([*begins, *([task.scheduled_at] if task.scheduled_at else [])], default=None)
    if start is None:
        return
    trace_id = parent.split("-")[1]
    span_id = _id(parent, run.key, task.task_id, task.map_index)
    attributes = {**_ids(run.key), **_task_ids(task), "leoflow.state": str(task.state)}
    end = max([task.finished_at or start, start, *begins])
    trouble = _trouble(task.state, task.reason)
    name = f"task {task.task_id}"
    yield Span(name, trace_id, span_id, run_span, start, end, attributes, trouble=trouble)
    for one in task.tries:
        if one.instants:
            yield _try_span(run.key, task, one, parent, span_id)


def _try_span(key: RunKey, task: TracedTask, one: TracedTry, parent: str, task_span: str) -> Span:
    try_key = TryKey(*key, task.task_id, task.map_index, one.try_number)
    trace_id, span_id = continue_trace(parent, try_key).split("-")[1:3]
    instants = sorted(one.instants.items(), key=lambda item: item[1])
    attributes: dict[str, str | int] = {
        **_ids(key),
        **_task_ids(task),
        "leoflow.try_number": one.try_number,
        "leoflow.state": str(one.state),
        "leoflow.execution_mode": "inline" if one.inline else "container",
    }
    return Span(
        f"try {task.task_id}",
        trace_id,
        span_id,
        task_span,
        instants[0][1],
        instants[-1][1],
        attributes,
        tuple(instants),
        _trouble(one.state, one.reason),
    )


def _ids(key: RunKey) -> dict[str, str | int]:
    return {"leoflow.dag_id": key.dag_id, "leoflow.run_id": key.run_id}


def _task_ids(task: TracedTask) -> dict[str, str | int]:
    ids: dict[str, str | int] = {"leoflow.task_id": task.task_id}
    return ids if task.map_index == NOT_MAPPED else {**ids, "leoflow.map_index": task.map_index}


def _trouble(state: str | None, reason: str | None) -> str | None:
    return (reason or str(state)) if state in FAILED else None


def _id(parent: str, *of: object) -> str:
    return hashlib.sha256("\0".join((parent, *map(repr, of))).encode()).hexdigest()[:16]
