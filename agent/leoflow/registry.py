"""The graph that a DAG function draws: its nodes, the references between them, the one DAG.

Rebuilt in every task's container before user code runs, so nothing is checked here that the
reader of a project checks once; what only an error needs is in ``mistake``, imported then.
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

    from leoflow.mistake import DagError

    Place = tuple[str, int]


class Node:
    """One task of the graph. ``upstream`` are those it waits for without taking their result."""

    __slots__ = ("args", "function", "kind", "kwargs", "options", "place", "task_id", "upstream")

    def __init__(self, kind: str, function: "Callable[..., Any] | None", place: "Place") -> None:
        self.kind = kind
        self.function = function
        self.place = place
        self.task_id = ""
        self.args: tuple[Any, ...] = ()
        self.kwargs: dict[str, Any] = {}
        self.options: dict[str, tuple[Any, Place]] = {}
        self.upstream: list[Node] = []


class Graph:
    """The DAG that one call of a DAG function drew."""

    __slots__ = ("function", "nodes", "options", "place")

    def __init__(
        self, function: "Callable[..., Any]", options: "dict[str, Any]", place: "Place"
    ) -> None:
        self.function = function
        self.options = options
        self.place = place
        self.nodes: dict[str, Node] = {}

    def add(self, node: Node, name: str) -> "Reference":
        """Add ``node``, named by its option ``task_id`` or else after ``name`` as Airflow does."""
        chosen = node.options.get("task_id")
        if chosen is None:
            task_id, count = name, 0
            while task_id in self.nodes:
                count += 1
                task_id = f"{name}__{count}"
        else:
            task_id = chosen[0]
            if not isinstance(task_id, str) or task_id in self.nodes:
                from leoflow import mistake

                report(mistake.unusable_task_id(task_id, node, self.nodes))
                return Reference(node)
        node.task_id = task_id
        self.nodes[task_id] = node
        return Reference(node)


def _refused(use: str) -> "Callable[..., Any]":
    def refuse(self: "Reference", *_: object) -> "NoReturn":
        from leoflow import mistake

        raise mistake.used_as_value(self, use, caller())

    return refuse


class Reference:
    """The result of a task, as an argument of other tasks; its value exists only at run time."""

    __slots__ = ("node",)

    def __init__(self, node: Node) -> None:
        self.node = node

    def __rshift__(self, other: "Any") -> "Any":
        _link(self, other)
        return other

    def __lshift__(self, other: "Any") -> "Any":
        _link(other, self)
        return other

    def __rrshift__(self, other: "Any") -> "Reference":
        _link(other, self)
        return self

    def __rlshift__(self, other: "Any") -> "Reference":
        _link(self, other)
        return self

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Reference):
            return self is other
        return _COMPARED(self)  # type: ignore[no-any-return]

    __hash__ = object.__hash__

    def __getattr__(self, name: str) -> "Any":
        if name[:2] == "__":
            raise AttributeError(name)
        return _refused(f"asked for its attribute '{name}'")(self)

    def __repr__(self) -> str:
        return f"<the result of task '{self.node.task_id}'>"

    __bool__ = _refused("tested for truth (if, and, or, not)")
    __iter__ = __len__ = __contains__ = __reversed__ = _refused("iterated over")
    __getitem__ = __setitem__ = __delitem__ = _refused("indexed")
    __call__ = _refused("called")
    __str__ = __format__ = _refused("put into text")
    __int__ = __float__ = __index__ = _refused("taken for a number")
    __lt__ = __le__ = __gt__ = __ge__ = _COMPARED = _refused("compared")
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __neg__ = _refused(
        "calculated with"
    )
    __truediv__ = __rtruediv__ = __mod__ = __rmod__ = __or__ = __ror__ = __neg__


_COMPARED = Reference._COMPARED


def _link(upstream: "Any", downstream: "Any") -> None:
    for later in _nodes(downstream):
        for earlier in _nodes(upstream):
            if earlier not in later.upstream:
                later.upstream.append(earlier)


def _nodes(found: "Any") -> "list[Node]":
    if isinstance(found, Reference):
        return [found.node]
    if isinstance(found, (list, tuple)):
        return [node for item in found for node in _nodes(item)]
    from leoflow import mistake

    report(mistake.not_a_task(found, caller()))
    return []


graphs: "list[Graph]" = []
declared: "list[Any]" = []
current: "Graph | None" = None
mistakes: "list[DagError] | None" = None


def report(error: "DagError") -> None:
    """Raise ``error``, or keep it when ``mistakes`` is a list, to find the next one as well."""
    if mistakes is None:
        raise error
    mistakes.append(error)


def caller() -> "Place":
    """Return the file and line of the user's code that led here."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__package__") == __package__:
        frame = frame.f_back
    return frame.f_code.co_filename, frame.f_lineno


def function_of(task_id: str) -> "Callable[..., Any]":
    """Return the function of a task of the imported DAG; LookupError if there is none."""
    for graph in graphs:
        node = graph.nodes.get(task_id)
        if node is not None and node.function is not None:
            return node.function
    known = ", ".join(sorted(name for graph in graphs for name in graph.nodes)) or "none"
    raise LookupError(f"the DAG has no Python task '{task_id}'; its tasks are: {known}")
