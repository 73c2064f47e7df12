"""Writes a DAG that user code has drawn as JSON, and checks what it calls. Imports no user code.

Used by ``read_dag`` only; never imported in a task's container.
"""

from leoflow import registry
from leoflow.registry import Graph, Node, Reference

from leoflow_agent import argument, callcheck

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from leoflow.group import TaskGroup
    from leoflow.registry import Place

    from leoflow_agent.projectreader import Reader

_DATED = {"schedule", "start_date", "end_date"}


def write_dag(graph: Graph, reader: "Reader") -> "dict[str, Any]":
    """Return what was drawn as JSON; what cannot be said in it becomes problems of ``reader``."""
    options: dict[str, Any] = {}
    for name, value in _plain(graph.options).items():
        found = argument.problem_of(value)
        if found:
            reader.add(f"@dag: {name} has to be JSON, but {name}{found}", graph.place)
        else:
            options[name] = value
    file, line = reader.relative(graph.place)
    return {
        "function": graph.function.__name__,
        "options": options,
        "source": {"file": file, "line": line},
        "tasks": [_task(node, graph, reader) for node in graph.nodes.values()],
        "groups": [_group(group, graph, reader) for group in graph.groups],
    }


def _plain(options: "dict[str, Any]") -> "dict[str, Any]":
    """Return the options as JSON has them. What knows dates takes long to load."""
    if _DATED.isdisjoint(options):
        return options
    from leoflow_agent import dagoption

    return dagoption.plain(options)


def _targets(node: Node) -> "list[str]":
    if node.kind != "branch":
        return []
    from leoflow_agent import branchtarget

    return branchtarget.literals(node.function)


def _group(group: "TaskGroup", graph: Graph, reader: "Reader") -> "dict[str, Any]":
    inner = {node for one in graph.groups if one.parent is group for node in one.nodes}
    file, line = reader.relative(group.place)
    return {
        "group_id": group.group_id,
        "tooltip": group.tooltip,
        "parent": group.parent.group_id if group.parent else None,
        "task_ids": [node.task_id for node in group.nodes if node not in inner],
        "source": {"file": file, "line": max(line, 1)},
    }


def _task(node: Node, graph: Graph, reader: "Reader") -> "dict[str, Any]":
    if node.function is not None:
        _check_call(reader, node)
    file, line = reader.relative(_place(node, reader))
    named = {
        mark: _argument(node.marks[mark], node, graph, reader, f".{mark}()")
        for mark in ("expand", "expand_kwargs")
        if mark in node.marks
    }
    return {
        "task_id": node.task_id,
        "kind": node.kind,
        "args": [
            _argument(item, node, graph, reader, f"argument {i + 1}")
            for i, item in enumerate(node.args)
        ],
        "kwargs": {
            name: _argument(item, node, graph, reader, f"argument '{name}'")
            for name, item in node.kwargs.items()
        },
        "options": _options(node, reader),
        "source": {"file": file, "line": max(line, 1)},
        "expansion": named,
        "setup": "setup" in node.marks,
        "teardown": node.marks.get("teardown"),
        "targets": _targets(node),
        "upstream": [item.task_id for item in node.upstream if _known(item, graph, node, reader)],
    }


def _place(node: Node, reader: "Reader") -> "Place":
    """Return where the task is written: its call, or its function if others make the call."""
    code = getattr(node.function, "__code__", None)
    if reader.relative(node.place)[1] or code is None:
        return node.place
    return code.co_filename, code.co_firstlineno


def _options(node: Node, reader: "Reader") -> "dict[str, Any]":
    options = {}
    for name, (value, place) in node.options.items():
        found = argument.problem_of(value)
        if found:
            message = f"task '{node.task_id}': {name} has to be JSON, but {name}{found}"
            reader.add(message, place)
            continue
        options[name] = {"value": value, "line": reader.relative(place)[1] or None}
        options[name]["file"] = reader.relative(place)[0]
    return options


def _argument(
    value: object, node: Node, graph: Graph, reader: "Reader", name: str
) -> "dict[str, Any] | None":
    def refer(reference: Reference) -> "str | None":
        return reference.node.task_id if _known(reference.node, graph, node, reader) else None

    try:
        return argument.encode(value, refer)
    except argument.NotJson as error:
        reader.add(f"{name} of task '{node.task_id}' has to be JSON, but {name}{error}", node.place)
    return None


def _known(upstream: Node, graph: Graph, node: Node, reader: "Reader") -> bool:
    if graph.nodes.get(upstream.task_id) is upstream:
        return True
    if not registry.mistakes:
        message = f"task '{node.task_id}' waits for '{upstream.task_id}', which is of another DAG"
        reader.add(message, node.place)
    return False


def _check_call(reader: "Reader", node: Node) -> None:
    function: Any = node.function
    for kwargs, is_whole in callcheck.calls(node):
        found = callcheck.call_problem(function, node.args, kwargs, is_whole)
        if found:
            reader.add(f"task '{node.task_id}': {found}", node.place)
            return
