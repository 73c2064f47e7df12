"""Makes a DagSpec of a drawn DAG and the project's settings, or says all that is wrong with it.

Pure: the same drawing and settings give the same DagSpec.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from leoflow_agent.action import HttpAction
from leoflow_agent.inline_cap import exceeds_cap
from leoflow_agent.spec import DagSpec, Source, TaskSpec, Teardown, TriggerRule

from leoflow_builder.dagrule import check_drawing
from leoflow_builder.drawing import Drawing, DrawnTask, upstream_of
from leoflow_builder.graph import find_cycle, in_topological_order
from leoflow_builder.httprule import check_task
from leoflow_builder.identifier import check_id
from leoflow_builder.problem import Problem, ProjectError, did_you_mean
from leoflow_builder.project import Project
from leoflow_builder.said import (
    SaidResources,
    SaidTask,
    lower_limit,
    merge_options,
    staging_fields,
    to_resources,
    to_spec_fields,
)

# Airflow's: AbstractOperator.is_teardown sets it.
TEARDOWN_RULE: TriggerRule = "all_done_setup_success"
_RESOURCE_LINES = "    resources:\n      requests: {cpu: 250m, memory: 256Mi}"


def compile_dag(project: Project, drawing: Drawing, inline_cap_seconds: float) -> DagSpec:
    """Return the DAG that is run; ProjectError with every problem if it cannot be."""
    dag_id, problems = _dag_id(project, drawing)
    problems += _check_overrides(project, drawing)
    problems += [_at(drawing.source, message) for message in drawing.said.problems()]
    if not drawing.tasks:
        problems.append(_at(drawing.source, "the DAG has no task: call at least one in it"))
    specs: dict[str, TaskSpec] = {}
    for task in drawing.tasks:
        spec, found = _compile_task(project, drawing, task, inline_cap_seconds)
        problems += found
        if spec is not None:
            specs[task.task_id] = spec
    problems += [*_check_cycle(drawing), *check_drawing(drawing, specs)]
    if problems:
        raise ProjectError(problems)
    order = in_topological_order(
        {task_id: spec.upstream_task_ids for task_id, spec in specs.items()}
    )
    return DagSpec(
        dag_id=dag_id,
        python_version=project.python_version,
        tasks=tuple(specs[task_id] for task_id in order),
        environment=project.environment,
        task_groups=tuple(drawn.group for drawn in drawing.groups),
        **_dag_fields(project, drawing),
    )


def _dag_fields(project: Project, drawing: Drawing) -> dict[str, Any]:
    """Return what was said of the DAG; leoflow.yaml is the stronger."""
    fields = drawing.said.spec_fields()
    return {**fields, **staging_fields(project.settings.staging)}


def _at(source: Source, message: str) -> Problem:
    return Problem(source.file, source.line, message)


def _dag_id(project: Project, drawing: Drawing) -> tuple[str, list[Problem]]:
    said, drawn = project.settings.dag_id, drawing.dag_id
    if said is not None and drawn is not None and said != drawn:
        where = f"{drawing.source.file}:{drawing.source.line}"
        message = f"dag_id '{said}' is not the DAG's own, '{drawn}' ({where}): keep one of them"
        return said, [project.problem(message, "dag_id")]
    dag_id = said or drawn or drawing.name
    if dag_id is None:
        message = f"dag_id is missing: write it here or in {project.file.name}"
        return "", [_at(drawing.source, message)]
    try:
        return check_id(dag_id), []
    except ValueError as error:
        return dag_id, [_at(drawing.source, f"dag_id {error}")]


def _check_overrides(project: Project, drawing: Drawing) -> list[Problem]:
    known = [task.task_id for task in drawing.tasks]
    problems = []
    for task_id in project.settings.tasks:
        if task_id not in known:
            hint = did_you_mean(task_id, known) or f" It has {', '.join(known) or 'none'}."
            message = f"tasks.{task_id}: the DAG has no task '{task_id}'.{hint}"
            problems.append(project.problem(message, "tasks", task_id))
    return problems


def _compile_task(
    project: Project, drawing: Drawing, task: DrawnTask, inline_cap_seconds: float
) -> tuple[TaskSpec | None, list[Problem]]:
    settings = project.settings
    override = settings.tasks.get(task.task_id, SaidTask())
    defaults = merge_options(settings.defaults, drawing.said.default_args)
    own = merge_options(task.option, override)
    option = merge_options(defaults, task.option, override)
    option = _under_cap(task, option, own, inline_cap_seconds)
    found = [
        *_check_task(drawing, task),
        *_check_resources(task, option.resources),
        *_check_retries(task, option),
        *_check_pod(task, option, own),
        *_check_teardown(task, own),
    ]
    if found or option.resources is None:
        return None, [_at(task.source, message) for message in found]
    spec = TaskSpec(
        task_id=task.task_id,
        action=task.action,
        resources=to_resources(option.resources),
        source=task.source,
        upstream_task_ids=upstream_of(task),
        expansion=task.expansion,
        branch=task.branch,
        respect_trigger_rules=task.respect_trigger_rules,
        is_setup=task.is_setup,
        teardown=_teardown(drawing, task),
        **{**to_spec_fields(option), **_teardown_rule(task)},
    )
    spec, found = check_task(spec, inline_cap_seconds, settings.environment)
    too_long = exceeds_cap(spec, inline_cap_seconds)
    found += [too_long] if too_long else []
    return spec, [_at(task.source, message) for message in found]


def _under_cap(task: DrawnTask, option: SaidTask, own: SaidTask, cap_seconds: float) -> SaidTask:
    """Leave an inline request to its cap where only the defaults, meant for all, give it longer."""
    seconds = option.execution_timeout_seconds
    is_own = "execution_timeout_seconds" in own.written
    if not _is_inline(task) or is_own or seconds is None or seconds <= cap_seconds:
        return option
    return replace(option, execution_timeout_seconds=None)


def _is_inline(task: DrawnTask) -> bool:
    return isinstance(task.action, HttpAction) and task.action.execution_mode == "inline"


def _check_task(drawing: Drawing, task: DrawnTask) -> list[str]:
    known = {item.task_id for item in drawing.tasks}
    messages = [
        f"task '{task.task_id}' waits for '{above}', which the DAG does not have."
        + (did_you_mean(above, known) or f" It has {', '.join(sorted(known))}.")
        for above in upstream_of(task)
        if above not in known
    ]
    try:
        check_id(task.task_id)
    except ValueError as error:
        messages.append(f"task_id {error}")
    return messages


def _check_resources(task: DrawnTask, resources: SaidResources | None) -> list[str]:
    requests = resources.requests if resources else None
    amounts = {"cpu": requests and requests.cpu, "memory": requests and requests.memory}
    missing = [name for name, amount in amounts.items() if amount is None]
    if missing:
        return [
            f"task '{task.task_id}' does not say how much {' and '.join(missing)} it needs. Add to "
            f"leoflow.yaml, under `defaults:` for all tasks or `tasks: {task.task_id}:` for this "
            f"one:\n{_RESOURCE_LINES}"
        ]
    low = lower_limit(resources) if resources else None
    return [f"task '{task.task_id}': {low}"] if low else []


def _check_retries(task: DrawnTask, option: SaidTask) -> list[str]:
    if option.max_retry_delay_seconds is None or option.retry_exponential_backoff:
        return []
    return [
        f"task '{task.task_id}': max_retry_delay_seconds limits retry_exponential_backoff, which "
        "is not on: add retry_exponential_backoff=True, or remove it"
    ]


def _check_pod(task: DrawnTask, option: SaidTask, own: SaidTask) -> list[str]:
    """Say what options of a Pod cannot mean; ``own`` are those that are not the defaults."""
    if own.kubernetes and _is_inline(task):
        return [
            f"task '{task.task_id}': 'kubernetes' is for Pods, and an inline request has none: add "
            "execution_mode='pod', or remove it"
        ]
    if not option.kubernetes:
        return []
    from leoflow_agent.podrule import check_together

    return [
        f"task '{task.task_id}': kubernetes.{flaw.path[0]}: {flaw.message}"
        for flaw in check_together(option.kubernetes)
    ]


def _teardown(drawing: Drawing, task: DrawnTask) -> Teardown | None:
    """Return what ``task`` cleans up after: as in Airflow, the setups directly upstream."""
    if task.teardown is None:
        return None
    setups = {one.task_id for one in drawing.tasks if one.is_setup}
    return Teardown(tuple(one for one in upstream_of(task) if one in setups), task.teardown)


def _teardown_rule(task: DrawnTask) -> dict[str, TriggerRule]:
    return {} if task.teardown is None else {"trigger_rule": TEARDOWN_RULE}


def _check_teardown(task: DrawnTask, said: SaidTask) -> list[str]:
    if task.teardown is None or said.trigger_rule in (None, TEARDOWN_RULE):
        return []
    return [
        f"task '{task.task_id}' is a teardown, whose trigger rule is always '{TEARDOWN_RULE}': "
        f"remove trigger_rule '{said.trigger_rule}'"
    ]


def _check_cycle(drawing: Drawing) -> list[Problem]:
    tasks = {task.task_id: task for task in drawing.tasks}
    upstream = {
        task_id: [above for above in upstream_of(task) if above in tasks]
        for task_id, task in tasks.items()
    }
    cycle = find_cycle(upstream)
    if cycle is None:
        return []
    first = min(cycle, key=lambda task_id: tasks[task_id].source.line)
    start = cycle.index(first)
    ring = [*cycle[start:], *cycle[:start], first]
    places = [f"'{name}' ({tasks[name].source.file}:{tasks[name].source.line})" for name in ring]
    message = f"tasks wait for each other in a circle: {' -> '.join(places)}. Remove one arrow"
    return [_at(tasks[first].source, message)]
