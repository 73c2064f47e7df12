"""What each task of the crash tests does, and so what every run of them has to come to. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from leoflow_agent.action import PythonAction, XCom
from leoflow_agent.spec import DagSpec, Expansion, Quantities, Resources, Source, TaskSpec
from leoflow_controlplane.model import NOT_MAPPED

MIB = 1024**2
LINES = 3
LIST, WAYS = [1, 2, 3], ("left", "right")
# What these tasks return, whatever they are given.
SAID: Mapping[str, Any] = {"names": LIST, "choose": WAYS[0]}


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


def make_small_dag() -> DagSpec:
    """Make a DAG of few tasks and much of what there is: one is mapped, one chooses the way."""
    work = replace(
        _task("work", ("names",)),
        action=PythonAction("dag"),
        expansion=Expansion({"x": XCom("names")}),
    )
    tasks = _task("names", ()), work, _task("total", ("work",)), _task("choose", ("total",))
    choose = replace(tasks[3], branch="branch")
    ways = [replace(_task(name, ("choose",)), action=PythonAction("dag")) for name in WAYS]
    return DagSpec("small", "3.11", (*tasks[:3], choose, *ways), max_active_tasks=100)


class Expected(NamedTuple):
    """What a run comes to: by task_id and map_index each value, and how many tries it takes."""

    values: Mapping[tuple[str, int], Any]
    tries: Mapping[tuple[str, int], int]


def expected(dag: DagSpec) -> Expected:
    """Tell what a run of a DAG comes to."""
    values: dict[tuple[str, int], Any] = {}
    for task in dag.tasks:
        if task.task_id == WAYS[1]:
            continue
        above = [[v for (name, _), v in values.items() if name == up] for up in _inputs_of(task)]
        flat = [found if len(found) > 1 else found[0] for found in above]
        if task.expansion is None:
            values[task.task_id, NOT_MAPPED] = value_of(task.task_id, flat)
            continue
        for index, item in enumerate(LIST):
            values[task.task_id, index] = value_of(task.task_id, [item])
    return Expected(values, {name: _tries(name[0]) for name in values})


def value_of(task_id: str, inputs: list[Any]) -> Any:
    """Give what a task makes of its inputs: one more than all of them together, mostly."""
    if task_id in SAID:
        return SAID[task_id]
    return 1 + sum(sum(one) if isinstance(one, list) else one for one in inputs)


def _inputs_of(task: TaskSpec) -> list[str]:
    assert isinstance(task.action, PythonAction)
    return [argument.task_id for argument in task.action.args if isinstance(argument, XCom)]


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
