"""Reads a project's DAG with the interpreter and the libraries that its image has.

Started by the builder as a process of its own. Takes one JSON request from stdin and writes one
JSON answer to what was stdout: the DAG as drawn, or problems. What user code prints goes to stderr.
"""

import faulthandler
import importlib
import json
import os
import sys
import traceback

from leoflow import registry
from leoflow.mistake import DagError
from leoflow.registry import Graph, Node, Reference

from leoflow_agent import argument, callcheck

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from leoflow.group import TaskGroup
    from leoflow.registry import Place


_DATED = {"schedule", "start_date", "end_date"}


class Reader:
    """What is known while one project is read; every problem is kept, none is raised."""

    def __init__(self, folder: str, entry: str) -> None:
        self.folder = folder
        self.entry = entry
        self.problems: list[dict[str, Any]] = []

    def add(self, message: str, place: "Place") -> None:
        """Keep a problem; its file is told relative to the project."""
        file, line = self.relative(place)
        self.problems.append({"file": file, "line": line or None, "message": message})

    def relative(self, place: "Place") -> "Place":
        """Return ``place`` with its file relative to the project; outside of it, the entry."""
        inside = place[0].startswith(self.folder + os.sep)
        if inside:
            return os.path.relpath(place[0], self.folder).replace(os.sep, "/"), place[1]
        return self.entry, 0

    def load(self, module: str) -> "Any":
        """Import ``module`` of the project; None if that is impossible, with the problem kept."""
        try:
            return importlib.import_module(module)
        except DagError as error:
            self.add(error.message, (error.file, error.line))
        except SyntaxError as error:
            self.add(f"SyntaxError: {error.msg}", self._syntax_place(error))
        except BaseException as error:
            traceback.print_exc()
            self.add(_import_failure(error, module), self._last_line(error))
        return None

    def _syntax_place(self, error: SyntaxError) -> "Place":
        place = (os.path.abspath(error.filename or ""), error.lineno or 0)
        return place if place[0].startswith(self.folder + os.sep) else self._last_line(error)

    def _last_line(self, error: BaseException) -> "Place":
        for frame in reversed(traceback.extract_tb(error.__traceback__)):
            if frame.filename.startswith(self.folder + os.sep):
                return frame.filename, frame.lineno or 0
        return os.path.join(self.folder, self.entry), 0


def read_module(reader: Reader) -> "dict[str, Any] | None":
    """Import the entry and return the DAG that it draws, as JSON, or None."""
    registry.mistakes = []
    module = reader.load(reader.entry[: -len(".py")])
    for mistake in registry.mistakes:
        reader.add(mistake.message, (mistake.file, mistake.line))
    if module is None or not _is_entry(module, reader):
        return None
    graph = _only_graph(reader)
    return _dag(graph, reader) if graph else None


def _is_entry(module: "Any", reader: Reader) -> bool:
    entry = os.path.join(reader.folder, reader.entry)
    found = getattr(module, "__file__", None) or module.__path__[0]
    if os.path.realpath(found) == os.path.realpath(entry):
        return True
    other = reader.relative((found, 1))[0]
    reader.add(f"'{other}' is imported in its place: rename one of them", (entry, 0))
    return False


def _only_graph(reader: Reader) -> "Graph | None":
    for declaration in registry.declared:
        if not declaration.called:
            name = declaration.__name__
            reader.add(
                f"DAG '{name}' is never called: add `{name}()` at the end", declaration.place
            )
    graphs = registry.graphs
    if not registry.declared:
        fix = "write a function under @dag that calls the tasks, and call it at the end"
        reader.add(
            f"'{reader.entry}' has no DAG: {fix}", (os.path.join(reader.folder, reader.entry), 1)
        )
    for graph in graphs[1:]:
        first = "{}:{}".format(*reader.relative(graphs[0].place))
        message = (
            f"'{graph.function.__name__}()' draws a second DAG, the first one is at {first}. "
            "A project has one DAG: move the other one to a folder of its own"
        )
        reader.add(message, graph.place)
    return graphs[0] if graphs else None


def _dag(graph: Graph, reader: Reader) -> "dict[str, Any]":
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


def _group(group: "TaskGroup", graph: Graph, reader: Reader) -> "dict[str, Any]":
    inner = {node for one in graph.groups if one.parent is group for node in one.nodes}
    file, line = reader.relative(group.place)
    return {
        "group_id": group.group_id,
        "tooltip": group.tooltip,
        "parent": group.parent.group_id if group.parent else None,
        "task_ids": [node.task_id for node in group.nodes if node not in inner],
        "source": {"file": file, "line": max(line, 1)},
    }


def _task(node: Node, graph: Graph, reader: Reader) -> "dict[str, Any]":
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


def _place(node: Node, reader: Reader) -> "Place":
    """Return where the task is written: its call, or its function if others make the call."""
    code = getattr(node.function, "__code__", None)
    if reader.relative(node.place)[1] or code is None:
        return node.place
    return code.co_filename, code.co_firstlineno


def _options(node: Node, reader: Reader) -> "dict[str, Any]":
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
    value: object, node: Node, graph: Graph, reader: Reader, name: str
) -> "dict[str, Any] | None":
    def refer(reference: Reference) -> "str | None":
        return reference.node.task_id if _known(reference.node, graph, node, reader) else None

    try:
        return argument.encode(value, refer)
    except argument.NotJson as error:
        reader.add(f"{name} of task '{node.task_id}' has to be JSON, but {name}{error}", node.place)
    return None


def _known(upstream: Node, graph: Graph, node: Node, reader: Reader) -> bool:
    if graph.nodes.get(upstream.task_id) is upstream:
        return True
    if not registry.mistakes:
        message = f"task '{node.task_id}' waits for '{upstream.task_id}', which is of another DAG"
        reader.add(message, node.place)
    return False


def _check_call(reader: Reader, node: Node) -> None:
    function: Any = node.function
    for kwargs, is_whole in callcheck.calls(node):
        found = callcheck.call_problem(function, node.args, kwargs, is_whole)
        if found:
            reader.add(f"task '{node.task_id}': {found}", node.place)
            return


def read_functions(reader: Reader, calls: "list[dict[str, Any]]") -> None:
    """Check that the functions which a dag.yaml names exist and take what they are given."""
    modules: dict[str, Any] = {}
    for call in calls:
        name = call["module"]
        if name not in modules:
            modules[name] = reader.load(name)
        if modules[name] is None:
            continue
        function = getattr(modules[name], call["function"], None)
        function = getattr(function, "function", function)
        if not callable(function):
            found = f"module '{name}' has no function '{call['function']}'"
        else:
            kwargs = dict.fromkeys(call["kwargs"])
            found = callcheck.call_problem(function, call["args"], kwargs, call["is_whole"]) or ""
        if found:
            message = f"task '{call['task_id']}': {found}"
            reader.problems.append({"file": call["file"], "line": call["line"], "message": message})


def _import_failure(error: BaseException, module: str) -> str:
    if isinstance(error, ModuleNotFoundError) and error.name:
        if error.name == module:
            return f"there is no module '{module}' in the project"
        return (
            f"No module named '{error.name}': add the package that has it to `dependencies` in "
            "leoflow.yaml, or the file to the project"
        )
    if isinstance(error, SystemExit):
        return f"sys.exit({error.code!r}) is called while the DAG is read: remove it"
    text = traceback.format_exception_only(type(error), error)[-1].strip()
    return f"{text} (while '{module}' is imported)"


def main() -> None:
    """Answer the request on stdin, whatever user code does to stdin, stdout and the exit."""
    answer_fd = os.dup(1)
    os.dup2(2, 1)
    request = json.loads(sys.stdin.buffer.read())
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    faulthandler.enable(file=answer_fd)
    faulthandler.dump_traceback_later(request["timeout_seconds"], exit=True, file=answer_fd)
    sys.dont_write_bytecode = True
    sys.path[:] = [request["folder"], *filter(None, sys.path)]
    sys.argv[:] = [os.path.join(request["folder"], request["entry"])]
    reader = Reader(request["folder"], request["entry"])
    dag = None
    if request["calls"] is None:
        dag = read_module(reader)
    else:
        read_functions(reader, request["calls"])
    answer = json.dumps({"dag": dag, "problems": reader.problems}).encode()
    faulthandler.cancel_dump_traceback_later()
    with os.fdopen(answer_fd, "wb") as file:
        file.write(answer)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
