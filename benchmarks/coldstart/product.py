"""Turns through the control plane: a run of a DAG, and where its milliseconds went."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from leoflow_agent.action import PythonAction
from leoflow_agent.spec import DagSpec
from leoflow_controlplane.model import Phase, RunKey, RunRequest, RunResult, TaskResult, TryKey

from benchmarks.build.process import BenchError
from benchmarks.coldstart.line import read_line
from benchmarks.coldstart.stage import Sample, Stage

INPUT_BYTES = 10240


async def run_task(
    stage: Stage, project: str, task_id: str, inputs: dict[str, Any] | None = None
) -> Sample:
    """Run one task alone and return its phases, and the CPU of its container."""
    image = stage.images[project]
    assert image.spec is not None
    request = RunRequest(image.spec, image.reference, task_id=task_id, inputs=inputs)
    key, result = await _run(stage, request)
    (task,) = [one for one in result.tasks if one.task_id == task_id]
    container = stage.trace.container(_try_key(key, task))
    known: dict[str, float | None] = {**_phases(task), "cpu": stage.meter.cpu_ms(container)}
    known |= await _first_line(stage, key, task)
    return {name: value for name, value in known.items() if value is not None}


async def run_many(stage: Stage, project: str, count: int) -> Sample:
    """Run as many copies of the only task of a project at once; all may start from the first."""
    image = stage.images[project]
    assert image.spec is not None
    request = RunRequest(copies(image.spec, count), image.reference)
    _, result = await _run(stage, request)
    scheduled = min(_instant(task, "scheduled") for task in result.tasks)
    reported = max(_instant(task, "reported") for task in result.tasks)
    total = (reported - scheduled) * 1000
    return {"total": total, "per_task": total / count}


async def run_edge(stage: Stage) -> Sample:
    """Run two tasks, one after the other, and return the steps from the end of user code of the
    first to the first line of the second."""
    image = stage.images["steps"]
    assert image.spec is not None
    tasks = tuple(one for one in image.spec.tasks if one.task_id in ("first", "second"))
    key, result = await _run(stage, RunRequest(replace(image.spec, tasks=tasks), image.reference))
    first, second = sorted(result.tasks, key=lambda task: task.task_id)
    left = _instant(first, "left")
    try_key = _try_key(key, second)
    if left not in stage.trace.verdicts:
        raise BenchError("the report of the first task did not come by where reports are taken in")
    verdict = stage.trace.verdicts[left]
    requested = stage.trace.requested(try_key)
    line = read_line(await _output(stage, key, second))
    if line is None:
        raise BenchError("the first line of the second task is not in its log")
    instants = {
        "left": left,
        "child_end": verdict.written,
        "report": verdict.arrived,
        "commit": verdict.committed,
        "dispatch": stage.trace.handed(try_key),
        "request": requested,
        "create": _instant(second, "created"),
        "start": _instant(second, "started"),
        "agent": _instant(second, "import_started"),
        "import": _instant(second, "entered"),
        "run": line.clock,
    }
    return {
        **steps(instants),
        "to_create_request": (requested - left) * 1000,
        "total": (line.clock - left) * 1000,
    }


def steps(instants: Mapping[str, float]) -> dict[str, float]:
    """Turn instants in order into milliseconds, each since the one before it."""
    names, moments = list(instants), list(instants.values())
    return {
        name: (now - before) * 1000
        for name, before, now in zip(names[1:], moments, moments[1:], strict=False)
    }


def copies(spec: DagSpec, count: int) -> DagSpec:
    """Return a DAG of ``count`` tasks that are all its one task under other names."""
    (task,) = spec.tasks
    if not isinstance(task.action, PythonAction):
        raise BenchError(f"task '{task.task_id}' is no Python task")
    # Without the function's name it would be looked up by the name of the task.
    action = replace(task.action, function=task.task_id)
    tasks = (replace(task, task_id=f"task_{n}", action=action) for n in range(count))
    return replace(spec, tasks=tuple(tasks))


async def _run(stage: Stage, request: RunRequest) -> tuple[RunKey, RunResult]:
    key = await stage.plane.create_run(request)
    try:
        result = await stage.plane.wait(key)
    except BaseException:
        await stage.plane.cancel(key)
        raise
    if result.state != "success":
        reasons = [f"{task.task_id}: {task.reason}" for task in result.tasks if task.reason]
        raise BenchError(f"run '{key.run_id}' ended with {result.state}: {'; '.join(reasons)}")
    return key, result


def _phases(task: TaskResult) -> dict[str, float | None]:
    end = _instant(task, "ended") - _instant(task, "reported")
    return {**task.timeline_ms, "end": end * 1000}


def _instant(task: TaskResult, phase: Phase) -> float:
    if phase not in task.instants:
        raise BenchError(f"task '{task.task_id}' has no instant '{phase}'")
    return task.instants[phase]


async def _first_line(stage: Stage, key: RunKey, task: TaskResult) -> dict[str, float | None]:
    """Return what the first line tells, where a task prints the clock and the CPU so far."""
    line = read_line(await _output(stage, key, task))
    if line is None:
        return {}
    return {
        "first_line": (line.clock - _instant(task, "started")) * 1000,
        "cpu_before_user_code": line.cpu_seconds * 1000,
    }


async def _output(stage: Stage, key: RunKey, task: TaskResult) -> str:
    log = await stage.plane.log(_try_key(key, task))
    return "\n".join(one.text for one in log if one.stream == "stdout")


def _try_key(key: RunKey, task: TaskResult) -> TryKey:
    return TryKey(*key, task.task_id, task.map_index, task.try_number)
