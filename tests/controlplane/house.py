"""Specs and control planes for tests, small enough to read at a glance."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from leoflow_agent.action import HttpAction, PythonAction, XCom
from leoflow_agent.spec import DagSpec, Quantities, Resources, Source, TaskSpec
from leoflow_controlplane.controlplane import ControlPlane
from leoflow_controlplane.executor.fake import FakeExecutor
from leoflow_controlplane.model import RunKey, RunRequest, RunResult
from leoflow_controlplane.outbound.guard import LOOPBACK
from leoflow_controlplane.setting import Settings

MIB = 1024**2
CALLED_URL = "http://user:password@api/x"
RESOURCES = Resources(Quantities(100, 64 * MIB))
SETTINGS = Settings(
    max_parallel_tasks=4,
    grace_seconds=0.2,
    removal_allowance_seconds=0.2,
    settle_seconds=0.05,
    inline_allowed_hosts=LOOPBACK,
)


def make_task(task_id: str, *upstream: str, **fields: Any) -> TaskSpec:
    """Make a Python task that gets the return value of each upstream task."""
    fields.setdefault("retry_delay_seconds", 0.0)
    args = tuple(XCom(name) for name in upstream)
    fields.setdefault("action", PythonAction("dag", args=args))
    return TaskSpec(
        task_id=task_id,
        resources=fields.pop("resources", RESOURCES),
        source=Source("dag.py", 1),
        upstream_task_ids=tuple(upstream),
        **fields,
    )


def make_call(url: str = CALLED_URL, *upstream: str, **fields: Any) -> TaskSpec:
    """Make an inline call of GET, ``h``; of ``fields`` those that a task has are the task's."""
    task_fields = {
        name: fields.pop(name)
        for name in ("task_id", "retries", "execution_timeout_seconds", "retry_delay_seconds")
        if name in fields
    }
    name = task_fields.pop("task_id", "h")
    return make_task(name, *upstream, action=HttpAction(url, **fields), **task_fields)


def make_dag(*tasks: TaskSpec, **fields: Any) -> DagSpec:
    """Make a DAG out of tasks in topological order."""
    return DagSpec(dag_id=fields.pop("dag_id", "d"), python_version="3.11", tasks=tasks, **fields)


class House:
    """A control plane on a FakeExecutor, and what both did."""

    def __init__(self, plane: ControlPlane, executor: FakeExecutor) -> None:
        self.plane = plane
        self.executor = executor

    async def run(self, *tasks: TaskSpec, **request: Any) -> RunResult:
        """Run a DAG of ``tasks`` to its end."""
        return await self.plane.wait(await self.begin(*tasks, **request))

    async def begin(self, *tasks: TaskSpec, **request: Any) -> RunKey:
        """Start a run of a DAG of ``tasks``."""
        return await self.plane.create_run(RunRequest(make_dag(*tasks), "image", **request))


OpenHouse = Callable[..., Any]


def states(result: RunResult) -> Mapping[str, str | None]:
    """Give the state of each task of a result."""
    return {task.task_id: task.state for task in result.tasks}
