"""Turns what the reader of a dag.py answers into a Drawing, checking what the user wrote. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leoflow_agent.action import (
    Action,
    Argument,
    BashAction,
    DictOf,
    ListOf,
    PythonAction,
    Value,
    XCom,
)
from leoflow_agent.spec import Source

from leoflow_builder.drawing import Drawing, DrawnTask
from leoflow_builder.httpfield import make_http
from leoflow_builder.memo import FORGETFUL, Memo
from leoflow_builder.problem import Problem
from leoflow_builder.said import SaidTask, said_task
from leoflow_builder.written import Complaint, Refused, check


def make_drawing(
    dag: Mapping[str, Any], module: str, memo: Memo = FORGETFUL
) -> tuple[Drawing, list[Problem]]:
    """Return the DAG of the reader's answer; ``module`` is the entry's name as a module."""
    source = Source(dag["source"]["file"], max(dag["source"]["line"], 1))
    entry, problems = _entry(dag["options"], source, memo)
    tasks = []
    for item in dag["tasks"]:
        task, found = _task(item, module, memo)
        problems += found
        if task is not None:
            tasks.append(task)
    drawing = Drawing(
        tasks=tuple(tasks),
        source=source,
        dag_id=entry.get("dag_id"),
        name=dag["function"],
        description=entry.get("description", ""),
        tags=tuple(entry.get("tags", ())),
        params=entry.get("params") or {},
    )
    return drawing, problems


def argument_of(document: Mapping[str, Any]) -> Argument:
    """Return the Argument that the reader wrote as JSON; KeyError if it is none."""
    kind = document["kind"]
    if kind == "value":
        return Value(document["value"])
    if kind == "xcom":
        return XCom(document["task_id"], document["key"])
    items = document["items"]
    if kind == "list":
        return ListOf(tuple(argument_of(one) for one in items))
    return DictOf({name: argument_of(one) for name, one in items.items()})


def _entry(
    options: Mapping[str, Any], source: Source, memo: Memo
) -> tuple[Mapping[str, Any], list[Problem]]:
    try:
        return check(memo, "dag", options), []
    except Refused as refused:
        found = [f"@dag: {one.message}" for one in refused.complaints]
        return {}, [Problem(source.file, source.line, message) for message in found]


def _task(
    item: Mapping[str, Any], module: str, memo: Memo
) -> tuple[DrawnTask | None, list[Problem]]:
    source = Source(item["source"]["file"], item["source"]["line"])
    # None stands for an argument that the reader has refused.
    args = tuple(argument_of(given) for given in item["args"] if given)
    kwargs = {name: argument_of(given) for name, given in item["kwargs"].items() if given}
    option, problems = _option(item, memo)
    action, complaints = _action(item["kind"], PythonAction(module, None, args, kwargs), memo)
    name = item["task_id"]
    for complaint in complaints:
        problems.append(Problem(source.file, source.line, f"task '{name}': {complaint.message}"))
    if action is None:
        action = PythonAction(module)  # keeps the graph whole; the problems stop the build
    return DrawnTask(name, action, option, source, tuple(item["upstream"])), problems


def _action(kind: str, call: PythonAction, memo: Memo) -> tuple[Action | None, list[Complaint]]:
    if kind == "http_api":
        return make_http(call.kwargs, memo)
    return (BashAction(python=call) if kind == "bash" else call), []


def _option(item: Mapping[str, Any], memo: Memo) -> tuple[SaidTask, list[Problem]]:
    written = {name: said for name, said in item["options"].items() if name != "task_id"}
    values = {name: said["value"] for name, said in written.items()}
    try:
        return said_task(check(memo, "task", values)), []
    except Refused as refused:
        complaints = refused.complaints
    problems = []
    for path, message in complaints:
        said = written[str(path[0])]
        problems.append(Problem(said["file"], said["line"], f"task '{item['task_id']}': {message}"))
    wrong = {path[0] for path, _ in complaints}
    valid = {name: value for name, value in values.items() if name not in wrong}
    return said_task(check(memo, "task", valid)), problems
