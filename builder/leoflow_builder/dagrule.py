"""What tasks and groups that are right one by one mean together, and cannot mean. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from leoflow_agent.action import BashAction, XCom
from leoflow_agent.spec import TaskSpec

from leoflow_builder.drawing import Drawing, DrawnTask, upstream_of
from leoflow_builder.identifier import check_id
from leoflow_builder.problem import Problem, did_you_mean

_RESULT = XCom("").key


def check_drawing(drawing: Drawing, specs: Mapping[str, TaskSpec]) -> list[Problem]:
    """Return what is wrong between tasks; ``specs`` are those of the tasks that have one."""
    problems = list(_check_groups(drawing))
    for task in drawing.tasks:
        messages = [
            *_check_lifecycle(task, drawing, specs),
            *_check_targets(task, drawing),
            *_check_expansion(task, drawing),
        ]
        problems += [Problem(task.source.file, task.source.line, text) for text in messages]
    return problems


def _check_groups(drawing: Drawing) -> Iterator[Problem]:
    tasks = {task.task_id: task for task in drawing.tasks}
    seen: set[str] = set()
    for drawn in drawing.groups:
        group = drawn.group
        source = drawn.source
        if group.group_id in tasks:
            place = tasks[group.group_id].source
            text = (
                f"group_id '{group.group_id}' is the id of a task too ({place.file}:{place.line})"
            )
            yield Problem(source.file, source.line, f"{text}: rename one of them")
        if group.group_id in seen:
            text = f"group_id '{group.group_id}' is used twice: rename one of them"
            yield Problem(source.file, source.line, text)
        seen.add(group.group_id)
        if not isinstance(group.tooltip, str):
            text = f"task group '{group.group_id}': tooltip has to be text, not {group.tooltip!r}"
            yield Problem(source.file, source.line, text)
        try:
            check_id(group.group_id)
        except ValueError as error:
            yield Problem(source.file, source.line, f"group_id {error}")


def _check_lifecycle(
    task: DrawnTask, drawing: Drawing, specs: Mapping[str, TaskSpec]
) -> Iterator[str]:
    if task.is_setup and task.teardown is not None:
        yield f"task '{task.task_id}' is a setup and a teardown: make it one of them"
    setups = {one.task_id for one in drawing.tasks if one.is_setup}
    above = [one for one in upstream_of(task) if one in setups]
    rule = specs[task.task_id].trigger_rule if task.task_id in specs else "all_success"
    # Airflow's rule: DAG.validate_setup_teardown.
    if above and task.teardown is None and rule != "all_success":
        yield (
            f"task '{task.task_id}' comes right after the setup '{above[0]}' and has trigger rule "
            f"'{rule}': without what the setup makes it cannot run, so write 'all_success'"
        )


def _check_targets(task: DrawnTask, drawing: Drawing) -> Iterator[str]:
    below = [one.task_id for one in drawing.tasks if task.task_id in upstream_of(one)]
    groups = {drawn.group.group_id for drawn in drawing.groups}
    known = {*below, *(group for group in groups if _has_one(group, below))}
    for target in dict.fromkeys(task.targets):
        if target not in known:
            inside = [one for one in sorted(known) if one.endswith(f".{target}")]
            hint = f" Did you mean '{inside[0]}'?" if inside else did_you_mean(target, known)
            hint = hint or f" There are {', '.join(sorted(known)) or 'none'}."
            yield (
                f"branch '{task.task_id}' returns '{target}', which is no task or group directly "
                f"downstream of it.{hint}"
            )


def _has_one(group_id: str, task_ids: list[str]) -> bool:
    return any(task_id.startswith(f"{group_id}.") for task_id in task_ids)


def _check_expansion(task: DrawnTask, drawing: Drawing) -> Iterator[str]:
    if task.expansion is None:
        return
    texts = {
        one.task_id
        for one in drawing.tasks
        if isinstance(one.action, BashAction) and one.expansion is None
    }
    for argument in task.expansion.arguments():
        if isinstance(argument, XCom) and argument.task_id in texts and argument.key == _RESULT:
            yield (
                f"task '{task.task_id}' is expanded over the result of bash task "
                f"'{argument.task_id}', which is text: make a list of it in a @task between them"
            )
