"""Reads a project's DAG with the interpreter and the libraries that its image has.

Started by the builder as a process of its own. Takes one JSON request from stdin and writes one
JSON answer to what was stdout: the DAG as drawn, or problems. What user code prints goes to stderr.
"""

import faulthandler
import json
import os
import sys

from leoflow import registry
from leoflow.registry import Graph

from leoflow_agent import callcheck
from leoflow_agent.drawndag import write_dag
from leoflow_agent.projectreader import Reader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def read_module(reader: Reader) -> "dict[str, Any] | None":
    """Import the entry and return the DAG that it draws, as JSON, or None."""
    registry.mistakes = []
    module = reader.load(reader.entry[: -len(".py")])
    for mistake in registry.mistakes:
        reader.add(mistake.message, (mistake.file, mistake.line))
    if module is None or not _is_entry(module, reader):
        return None
    graph = _only_graph(reader)
    return write_dag(graph, reader) if graph else None


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
