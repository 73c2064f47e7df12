"""A DAG as it was drawn, in dag.py or dag.yaml: each task valid by itself, the whole unchecked.

Where both ways of writing a DAG meet; ``compile`` makes a DagSpec of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from leoflow_agent.action import Action, arguments_of, xcoms
from leoflow_agent.spec import Source

from leoflow_builder.said import SaidTask


@dataclass(frozen=True)
class DrawnTask:
    """One task. ``upstream`` are the task_ids it waits for beside those whose results it takes."""

    task_id: str
    action: Action
    option: SaidTask
    source: Source
    upstream: tuple[str, ...] = ()


@dataclass(frozen=True)
class Drawing:
    """A DAG. ``dag_id`` is the one written, ``name`` what to call it when none is."""

    tasks: tuple[DrawnTask, ...]
    source: Source
    dag_id: str | None = None
    name: str | None = None
    description: str = ""
    tags: tuple[str, ...] = ()
    params: Mapping[str, Any] = field(default_factory=dict)


def upstream_of(task: DrawnTask) -> tuple[str, ...]:
    """Return every task_id that ``task`` waits for, once each, in the order written."""
    taken = [xcom.task_id for argument in arguments_of(task.action) for xcom in xcoms(argument)]
    return tuple(dict.fromkeys([*taken, *task.upstream]))
