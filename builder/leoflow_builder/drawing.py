"""A DAG as it was drawn, in dag.py or dag.yaml: each task valid by itself, the whole unchecked.

Where both ways of writing a DAG meet; ``compile`` makes a DagSpec of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from leoflow_agent.action import Action, Argument, arguments_of, xcoms
from leoflow_agent.spec import Expansion, Source, TaskGroup

from leoflow_builder.said import SaidTask
from leoflow_builder.saiddag import SaidDag


@dataclass(frozen=True)
class DrawnTask:
    """One task. ``upstream`` are the task_ids it waits for beside those whose results it takes.

    ``teardown`` is whether its failure fails the run, None for what is no teardown. ``targets``
    are the task_ids that a branch is known to name.
    """

    task_id: str
    action: Action
    option: SaidTask
    source: Source
    upstream: tuple[str, ...] = ()
    expansion: Expansion | None = None
    branch: Literal["branch", "short_circuit"] | None = None
    respect_trigger_rules: bool = False
    is_setup: bool = False
    teardown: bool | None = None
    targets: tuple[str, ...] = ()


@dataclass(frozen=True)
class DrawnGroup:
    """A group of tasks, and where it is written."""

    group: TaskGroup
    source: Source


@dataclass(frozen=True)
class Drawing:
    """A DAG. ``name`` is what to call it when it has no dag_id."""

    tasks: tuple[DrawnTask, ...]
    source: Source
    said: SaidDag
    name: str | None = None
    groups: tuple[DrawnGroup, ...] = ()

    @property
    def dag_id(self) -> str | None:
        return self.said.dag_id


def arguments_in(task: DrawnTask) -> Iterator[Argument]:
    """Yield all that ``task`` is given, what it is expanded over included."""
    yield from arguments_of(task.action)
    if task.expansion is not None:
        yield from task.expansion.arguments()


def upstream_of(task: DrawnTask) -> tuple[str, ...]:
    """Return every task_id that ``task`` waits for, once each, in the order written."""
    taken = [xcom.task_id for argument in arguments_in(task) for xcom in xcoms(argument)]
    return tuple(dict.fromkeys([*taken, *task.upstream]))
