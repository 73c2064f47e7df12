"""What in a pushed DAG no cluster could honour, and what only a cluster can. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Any

from leoflow_agent.action import HttpAction
from leoflow_agent.podoption import PodOptions
from leoflow_agent.podrule import check_options, check_together
from leoflow_agent.spec import DagSpec, Resources, TaskSpec


def check_pod(task: TaskSpec) -> Iterator[str]:
    """Say what is wrong with what a task declares of its Pod, whatever runs it."""
    if task.kubernetes is None:
        return
    said = declared(task.kubernetes)
    flaws = list(check_options(said)) or check_together(said)
    for flaw in flaws:
        yield f"kubernetes.{'.'.join(map(str, flaw.path))}: {flaw.message}"


def declared(options: PodOptions) -> dict[str, Any]:
    """Give the options that a task declares: those that are not as they are anyway."""
    nothing = PodOptions()
    names = [field.name for field in fields(PodOptions)]
    pairs = ((name, getattr(options, name)) for name in names)
    return {name: value for name, value in pairs if value != getattr(nothing, name)}


def check_for_cluster(spec: DagSpec) -> Iterator[str]:
    """Say what Kubernetes cannot give to a DAG that is right in itself."""
    for task in in_pods(spec):
        if task.artifacts and spec.staging_bytes is None:
            yield (
                f"{place(task)}: it leaves artifacts, which on Kubernetes lie on the volume of the "
                "run, and the DAG asks for none. Add 'staging: 1Gi' to leoflow.yaml"
            )


def tell_ignored(spec: DagSpec) -> Iterator[str]:
    """Say what of a DAG is for Kubernetes, and has no effect anywhere else."""
    found: dict[tuple[str, ...], list[TaskSpec]] = {}
    for task in in_pods(spec):
        names = [f"kubernetes.{name}" for name in declared(task.kubernetes or PodOptions())]
        names += _beyond(task.resources)
        if names:
            found.setdefault(tuple(names), []).append(task)
    for said, (first, *others) in found.items():
        more = f" and {len(others)} more" if others else ""
        yield f"{place(first)}{more}: {_without_effect(said)}"
    staging = {
        "staging.storage_class": spec.staging_storage_class is not None,
        "staging.access_mode": spec.staging_access_mode != DagSpec.staging_access_mode,
    }
    names = [name for name, is_said in staging.items() if is_said]
    if names:
        yield f"DAG '{spec.dag_id}': {_without_effect(names)}"


def _without_effect(names: Sequence[str]) -> str:
    has = "has" if len(names) == 1 else "have"
    return f"{', '.join(names)} {has} no effect here, only with the executor 'kubernetes'"


def in_pods(spec: DagSpec) -> Iterator[TaskSpec]:
    """Yield the tasks that have a container or a Pod of their own."""
    for task in spec.tasks:
        if not (isinstance(task.action, HttpAction) and task.action.execution_mode == "inline"):
            yield task


def place(task: TaskSpec) -> str:
    """Say where a task is written, and which it is."""
    return f"{task.source.file}:{task.source.line}: task '{task.task_id[:250]}'"


def _beyond(resources: Resources) -> Iterator[str]:
    """Yield what only Kubernetes counts."""
    for kind in ("requests", "limits"):
        amounts = getattr(resources, kind)
        if amounts.ephemeral_storage_bytes is not None:
            yield f"resources.{kind}.ephemeral_storage"
        yield from (f"resources.{kind}.{name}" for name in amounts.extended)
