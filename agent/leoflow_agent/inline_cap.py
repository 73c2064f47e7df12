"""The rule of how long an inline http_api task may run; builder and control plane share it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from leoflow_agent.spec import DagSpec, TaskSpec

DEFAULT_CAP_SECONDS = 300.0


def exceeds_cap(task: TaskSpec, cap_seconds: float) -> str | None:
    """Say that an inline task declares more time than it may have, with the fix; else None."""
    from leoflow_agent.action import HttpAction

    declared = task.execution_timeout_seconds
    action = task.action
    if not isinstance(action, HttpAction) or action.execution_mode != "inline":
        return None
    if declared is None or declared <= cap_seconds:
        return None
    return (
        f"task '{task.task_id}' has an execution_timeout_seconds of {declared:g}, but an inline "
        f"http_api task may take {cap_seconds:g} (LEOFLOW_INLINE_HTTP_MAX_DURATION). "
        "Write execution_mode: pod to run it in a container, or lower the timeout"
    )


def _complaints(spec: DagSpec, cap_seconds: float) -> Iterator[str]:
    for task in spec.tasks:
        complaint = exceeds_cap(task, cap_seconds)
        if complaint:
            yield f"{task.source.file}:{task.source.line}: {complaint}"


def check_inline_duration(spec: DagSpec, cap_seconds: float = DEFAULT_CAP_SECONDS) -> list[str]:
    """Return one text for each inline task of ``spec`` that declares more than ``cap_seconds``."""
    return list(_complaints(spec, cap_seconds))
