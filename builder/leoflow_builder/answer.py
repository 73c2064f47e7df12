"""Turns what the reader of a dag.py answers into a Drawing, checking what the user wrote. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from leoflow_agent.spec import Action, Argument, BashAction, PythonAction, Source
from pydantic import TypeAdapter, ValidationError

from leoflow_builder.complaint import Complaint, complain
from leoflow_builder.dagentry import DagEntry
from leoflow_builder.drawing import Drawing, DrawnTask
from leoflow_builder.httpfield import make_http
from leoflow_builder.option import TaskOption
from leoflow_builder.problem import Problem


@cache
def _argument_adapter() -> TypeAdapter[Argument]:
    return TypeAdapter(Argument)


def make_drawing(dag: Mapping[str, Any], module: str) -> tuple[Drawing, list[Problem]]:
    """Return the DAG of the reader's answer; ``module`` is the entry's name as a module."""
    source = Source(dag["source"]["file"], max(dag["source"]["line"], 1))
    entry, problems = _entry(dag["options"], source)
    tasks = []
    for item in dag["tasks"]:
        task, found = _task(item, module)
        problems += found
        if task is not None:
            tasks.append(task)
    drawing = Drawing(
        tasks=tuple(tasks),
        source=source,
        dag_id=entry.dag_id,
        name=dag["function"],
        description=entry.description,
        tags=tuple(entry.tags),
        params=entry.params or {},
    )
    return drawing, problems


def _entry(options: Mapping[str, Any], source: Source) -> tuple[DagEntry, list[Problem]]:
    try:
        return DagEntry.model_validate(options), []
    except ValidationError as error:
        found = complain(error, DagEntry)
        problems = [Problem(source.file, source.line, f"@dag: {item.message}") for item in found]
        return DagEntry(), problems


def _task(item: Mapping[str, Any], module: str) -> tuple[DrawnTask | None, list[Problem]]:
    source = Source(item["source"]["file"], item["source"]["line"])
    # None stands for an argument that the reader has refused.
    check = _argument_adapter().validate_python
    args = tuple(check(given) for given in item["args"] if given)
    kwargs = {name: check(given) for name, given in item["kwargs"].items() if given}
    option, problems = _option(item)
    action, complaints = _action(item["kind"], module, args, kwargs)
    name = item["task_id"]
    for complaint in complaints:
        problems.append(Problem(source.file, source.line, f"task '{name}': {complaint.message}"))
    if action is None:
        action = PythonAction(module)  # keeps the graph whole; the problems stop the build
    return DrawnTask(name, action, option, source, tuple(item["upstream"])), problems


def _action(
    kind: str, module: str, args: tuple[Argument, ...], kwargs: Mapping[str, Argument]
) -> tuple[Action | None, list[Complaint]]:
    if kind == "http_api":
        return make_http(kwargs)
    python = PythonAction(module, None, args, kwargs)
    return (BashAction(python=python) if kind == "bash" else python), []


def _option(item: Mapping[str, Any]) -> tuple[TaskOption, list[Problem]]:
    written = {name: said for name, said in item["options"].items() if name != "task_id"}
    values = {name: said["value"] for name, said in written.items()}
    try:
        return TaskOption.model_validate(values), []
    except ValidationError as error:
        complaints = complain(error, TaskOption)
    problems = []
    for path, message in complaints:
        said = written[str(path[0])]
        problems.append(Problem(said["file"], said["line"], f"task '{item['task_id']}': {message}"))
    wrong = {path[0] for path, _ in complaints}
    valid = {name: value for name, value in values.items() if name not in wrong}
    return TaskOption.model_validate(valid), problems
