"""The DAGs of the benchmark. They say nothing of what their tasks do: nobody runs them."""

from __future__ import annotations

from dataclasses import replace

from leoflow_agent.action import HttpAction, PythonAction, XCom
from leoflow_agent.spec import (
    BuiltDag,
    DagSpec,
    ImageRef,
    Quantities,
    Resources,
    Schedule,
    Source,
    TaskSpec,
)

_RESOURCES = Resources(Quantities(100, 64 * 1024**2))
UNLIMITED = 1_000_000


def chains(dag_id: str, count: int, length: int) -> BuiltDag:
    """Make ``count`` chains of ``length`` tasks, each of which reads the one before it."""
    return _built(
        dag_id,
        [
            _task(f"c{chain}_{step}", *([f"c{chain}_{step - 1}"] if step else []))
            for chain in range(count)
            for step in range(length)
        ],
    )


def fan(dag_id: str, width: int) -> BuiltDag:
    """Make ``width`` tasks side by side and one after all of them."""
    names = [f"t{number}" for number in range(width)]
    end = TaskSpec("end", PythonAction("dag"), _RESOURCES, Source("dag.py", 1), tuple(names))
    return _built(dag_id, [*map(_task, names), end])


def calls(dag_id: str, count: int, url: str) -> BuiltDag:
    """Make ``count`` inline calls side by side."""
    action, source = HttpAction(url), Source("dag.py", 1)
    return _built(
        dag_id, [TaskSpec(f"t{number}", action, _RESOURCES, source) for number in range(count)]
    )


def scheduled(dag_id: str) -> BuiltDag:
    """Make a DAG of three tasks whose next run is far away."""
    built = chains(dag_id, 1, 3)
    return replace(built, spec=replace(built.spec, schedule=Schedule("cron", "0 3 1 1 *")))


def _task(task_id: str, *upstream: str) -> TaskSpec:
    action = PythonAction("dag", args=tuple(XCom(name) for name in upstream))
    return TaskSpec(task_id, action, _RESOURCES, Source("dag.py", 1), upstream)


def _built(dag_id: str, tasks: list[TaskSpec]) -> BuiltDag:
    spec = DagSpec(
        dag_id,
        "3.11",
        tuple(tasks),
        max_active_tasks=UNLIMITED,
        max_active_runs=UNLIMITED,
    )
    return BuiltDag(spec, ImageRef("image", None, "linux/amd64"))
