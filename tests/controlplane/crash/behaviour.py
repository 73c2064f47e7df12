"""What each task of the crash tests does, and so what every run of them has to come to. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import NamedTuple

from leoflow_agent.action import PythonAction, XCom
from leoflow_agent.spec import DagSpec, Quantities, Resources, Source, TaskSpec

MIB = 1024**2
LINES = 3


class Behaviour(NamedTuple):
    """One try: how long it takes, and how it ends.

    ``fails``: reports a failure. ``dies``: is killed without a word.
    """

    seconds: float
    fails: bool = False
    dies: bool = False


def behaviour_of(task_id: str, try_number: int) -> Behaviour:
    """Give what a try does, always the same."""
    digest = hashlib.sha256(f"{task_id} {try_number}".encode()).digest()
    seconds = digest[0] / 256 * 0.02
    if try_number > 2:
        return Behaviour(seconds)
    return Behaviour(seconds, fails=digest[1] < 40, dies=40 <= digest[1] < 60)


def make_crash_dag() -> DagSpec:
    """Make a DAG of 30 tasks: a start, three layers that fan out and in, and an end."""
    layers = [["start"], *([f"l{n}_{i}" for i in range(7)] for n in range(4)), ["end"]]
    tasks = []
    for depth, layer in enumerate(layers):
        above = layers[depth - 1] if depth else []
        for place, task_id in enumerate(layer):
            wide = len(layer) == 1 or len(above) == 1
            upstream = above if wide else [above[place], above[(place + 1) % len(above)]]
            tasks.append(_task(task_id, tuple(upstream)))
    return DagSpec("crash", "3.11", tuple(tasks), max_active_tasks=100)


def expected_values(dag: DagSpec) -> dict[str, int]:
    """Give what each task returns: one more than what those above it return together."""
    values: dict[str, int] = {}
    for task in dag.tasks:
        values[task.task_id] = value_of([values[name] for name in task.upstream_task_ids])
    return values


def value_of(inputs: list[int]) -> int:
    """Give what a task makes of its inputs."""
    return 1 + sum(inputs)


def expected_tries(dag: DagSpec) -> Mapping[str, int]:
    """Give how many tries each task takes."""
    return {task.task_id: _tries(task.task_id) for task in dag.tasks}


def _tries(task_id: str) -> int:
    number = 1
    while behaviour_of(task_id, number).fails or behaviour_of(task_id, number).dies:
        number += 1
    return number


def _task(task_id: str, upstream: tuple[str, ...]) -> TaskSpec:
    return TaskSpec(
        task_id,
        PythonAction("dag", args=tuple(XCom(name) for name in upstream)),
        Resources(Quantities(100, 64 * MIB)),
        Source("dag.py", 1),
        upstream_task_ids=upstream,
        retries=3,
        retry_delay_seconds=0.01,
    )
