"""Turns what the reader of a dag.py answers into a Drawing, checking what the user wrote. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
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
from leoflow_agent.spec import Expansion, Source, TaskGroup

from leoflow_builder.drawing import Drawing, DrawnGroup, DrawnTask
from leoflow_builder.expansion import over_named
from leoflow_builder.httpfield import make_http
from leoflow_builder.memo import FORGETFUL, Memo
from leoflow_builder.problem import Problem
from leoflow_builder.said import SaidTask, said_task
from leoflow_builder.saiddag import SaidDag
from leoflow_builder.written import Complaint, Refused, check

_SHORT_CIRCUIT = "ignore_downstream_trigger_rules"


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
        tasks.append(task)
    drawing = Drawing(
        tasks=tuple(tasks),
        source=source,
        said=SaidDag(entry),
        name=dag["function"],
        groups=tuple(_group(item) for item in dag["groups"]),
    )
    return drawing, problems


def _group(item: Mapping[str, Any]) -> DrawnGroup:
    ids = tuple(item["task_ids"])
    group = TaskGroup(item["group_id"], item["tooltip"], item["parent"], ids)
    return DrawnGroup(group, Source(item["source"]["file"], item["source"]["line"]))


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
        complaints = refused.complaints
    wrong = {path[0] for path, _ in complaints}
    valid = {name: value for name, value in options.items() if name not in wrong}
    found = [Problem(source.file, source.line, f"@dag: {one.message}") for one in complaints]
    return check(memo, "dag", valid), found


def _task(item: Mapping[str, Any], module: str, memo: Memo) -> tuple[DrawnTask, list[Problem]]:
    source = Source(item["source"]["file"], item["source"]["line"])
    # None stands for an argument that the reader has refused.
    args = tuple(argument_of(given) for given in item["args"] if given)
    kwargs = {name: argument_of(given) for name, given in item["kwargs"].items() if given}
    option, problems = _option(item, memo)
    kind, name = item["kind"], item["task_id"]
    action, complaints = _action(kind, PythonAction(module, None, args, kwargs), memo)
    for complaint in complaints:
        problems.append(Problem(source.file, source.line, f"task '{name}': {complaint.message}"))
    task = DrawnTask(
        task_id=name,
        # A Python task keeps the graph whole; the problems stop the build.
        action=action or PythonAction(module),
        option=option,
        source=source,
        upstream=tuple(item["upstream"]),
        expansion=_expansion(item["expansion"]),
        branch=kind if kind in ("branch", "short_circuit") else None,
        is_setup=item["setup"],
        teardown=item["teardown"],
        targets=tuple(item["targets"]),
    )
    return _with_short_circuit(task, item, problems), problems


def _with_short_circuit(
    task: DrawnTask, item: Mapping[str, Any], problems: list[Problem]
) -> DrawnTask:
    said = item["options"].get(_SHORT_CIRCUIT)
    if said is None:
        return task
    if not isinstance(said["value"], bool):
        text = f"task '{task.task_id}': {_SHORT_CIRCUIT} has to be true or false, not "
        problems.append(Problem(said["file"], said["line"], f"{text}'{said['value']}'"))
    return replace(task, respect_trigger_rules=said["value"] is False)


def _expansion(item: Mapping[str, Any]) -> Expansion | None:
    """Return what a task is expanded over. None also stands for what the reader has refused."""
    if item.get("expand"):
        return over_named(_named(argument_of(item["expand"])))
    if item.get("expand_kwargs"):
        return Expansion(listed=argument_of(item["expand_kwargs"]))
    return None


def _named(argument: Argument) -> Mapping[str, Argument]:
    if isinstance(argument, DictOf):
        return argument.items
    assert isinstance(argument, Value)
    return {name: Value(one) for name, one in argument.value.items()}


def _action(kind: str, call: PythonAction, memo: Memo) -> tuple[Action | None, list[Complaint]]:
    if kind == "http_api":
        return make_http(call.kwargs, memo)
    return (BashAction(python=call) if kind == "bash" else call), []


def _option(item: Mapping[str, Any], memo: Memo) -> tuple[SaidTask, list[Problem]]:
    own = ("task_id", _SHORT_CIRCUIT)
    written = {name: said for name, said in item["options"].items() if name not in own}
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
