"""Whether an inline call is made again that a crash interrupted. Pure."""

from __future__ import annotations

from typing import NamedTuple

from leoflow_agent.action import HttpAction
from leoflow_agent.http.ask import IDEMPOTENT
from leoflow_agent.spec import TaskSpec


class Repetition(NamedTuple):
    """``allowed``: the same try may run again; else it has failed, for ``reason``."""

    allowed: bool
    reason: str | None = None


def may_repeat(task: TaskSpec, *, began: bool, who: str = "the control plane") -> Repetition:
    """Say what becomes of a call whose end nobody knows, because ``who`` made it is gone.

    ``began``: it was written down that the call begins, which has to be durable before the first
    byte is sent. A task's own retries are another thing: they follow a failure as they always do.
    """
    action = task.action
    if not isinstance(action, HttpAction) or action.execution_mode != "inline":
        raise ValueError(f"task '{task.task_id}' is no inline http_api task")
    if not began or action.method.upper() in IDEMPOTENT:
        return Repetition(True)
    return Repetition(
        False,
        f"{who} ended during this {action.method}, which may have been carried out and "
        "is not sent twice: look at what the server did, then clear the task, or give it retries "
        "if it can bear to be repeated",
    )
