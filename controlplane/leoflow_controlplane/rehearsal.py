"""Asks, before a DAG is known or run, whether the place where its tasks run can honour what they
say of their Pods. It decides nothing: the cluster does.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import NamedTuple

from leoflow_agent.spec import DagSpec, TaskSpec

from leoflow_controlplane.error import LaunchFailed
from leoflow_controlplane.executor.protocol import Executor, PodChecker
from leoflow_controlplane.launch import Launch
from leoflow_controlplane.launching import make_launch
from leoflow_controlplane.model import NOT_MAPPED, TryKey
from leoflow_controlplane.pod.image import names_registry
from leoflow_controlplane.podcheck import check_for_cluster, in_pods, place, tell_ignored
from leoflow_controlplane.setting import Settings
from leoflow_controlplane.workload import Dispatch, RunContext, make_workload

RUN_ID = "rehearsal"
# Somebody waits for the answer; what is more than this shows when it runs.
MOST_ASKED = 50
_DATE = "2026-01-01T00:00:00+00:00"
_CONTEXT = RunContext(_DATE, _DATE, _DATE, {}, {})


class Findings(NamedTuple):
    """What cannot be honoured, and what has no effect here or may fail later; a line for each."""

    problems: tuple[str, ...]
    warnings: tuple[str, ...]


async def rehearse(spec: DagSpec, image: str, executor: Executor, settings: Settings) -> Findings:
    """Find what the place where ``executor`` runs tasks makes of what a DAG says of Pods."""
    if executor.pods is None:
        return Findings((), tuple(tell_ignored(spec)))
    problems = tuple(check_for_cluster(spec))
    if not problems and (lack := await executor.pods.find_lack(spec)):
        problems = (f"DAG '{spec.dag_id}': {lack}",)
    if not problems:
        problems = tuple([line async for line in _ask(spec, image, executor.pods, settings)])
    return Findings(problems, tuple(_tell_bare_name(spec, image)))


def _tell_bare_name(spec: DagSpec, image: str) -> Iterator[str]:
    if not names_registry(image) and any(in_pods(spec)):
        yield (
            f"the image '{image}' names no registry: a node that it was not loaded into looks for "
            "it at Docker Hub. Build it with --push --tag HOST/REPOSITORY:TAG for one of yours"
        )


async def _ask(
    spec: DagSpec, image: str, pods: PodChecker, settings: Settings
) -> AsyncIterator[str]:
    for task in _different(spec):
        try:
            refusal = await pods.find_refusal(_launch(spec, task, image, settings))
        except LaunchFailed as error:
            refusal = error.reason
        if refusal is not None:
            yield f"{place(task)}: the cluster refuses its Pod: {refusal}"


def _different(spec: DagSpec) -> Iterator[TaskSpec]:
    """Yield one of all tasks whose Pods differ in no more than in their names."""
    seen: set[str] = set()
    for task in in_pods(spec):
        said = repr((task.resources, task.kubernetes, task.artifacts))
        if said not in seen and len(seen) < MOST_ASKED:
            seen.add(said)
            yield task


def _launch(spec: DagSpec, task: TaskSpec, image: str, settings: Settings) -> Launch:
    """Make the launch of a try that never runs: without inputs, token and way back."""
    dispatch = Dispatch(
        key=TryKey(spec.dag_id, RUN_ID, task.task_id, NOT_MAPPED, 1),
        dag=spec,
        task=task,
        image=image,
        run=_CONTEXT,
        inputs={"args": [], "kwargs": {}, "environment": {}, "request": None},
        token="",
        inline=False,
        artifacts="" if task.artifacts else None,
        max_tries=1,
    )
    return make_launch(dispatch, make_workload(dispatch, "", settings), spec.environment)
