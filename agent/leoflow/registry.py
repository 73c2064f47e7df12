"""The graph that a DAG function draws: its nodes, the references between them, the one DAG.

Rebuilt in every task's container before user code runs, so nothing is checked here that the
reader of a project checks once; what only an error needs is in ``mistake``, imported then.
"""

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

    from leoflow.group import TaskGroup
    from leoflow.mistake import DagError

    Place = tuple[str, int]


# Shared by the tasks that have none, and never written to.
NO_MARKS: "dict[str, Any]" = {}


class Node:
    """One task of the graph. ``upstream`` are those it waits for without taking their result.

    ``marks`` are what few tasks have: ``expand`` or ``expand_kwargs`` with what it is expanded
    over, ``setup``, and ``teardown`` with whether its failure fails the run.
    """

    __slots__ = (
        "args",
        "function",
        "kind",
        "kwargs",
        "marks",
        "options",
        "place",
        "task_id",
        "upstream",
    )

    def __init__(self, kind: str, function: "Callable[..., Any] | None", place: "Place") -> None:
        self.kind = kind
        self.function = function
        self.place = place
        self.task_id = ""
        self.args: tuple[Any, ...] = ()
        self.kwargs: dict[str, Any] = {}
        self.marks = NO_MARKS
        self.options: dict[str, tuple[Any, Place]] = {}
        self.upstream: list[Node] = []


class Graph:
    """The DAG that one call of a DAG function drew.

    What is added while ``prefix`` is set has it in front of its task_id, and goes into each list
    in ``scopes``: both are of the groups, setups and teardowns that are open.
    """

    __slots__ = ("function", "groups", "nodes", "options", "place", "prefix", "scopes")

    def __init__(
        self, function: "Callable[..., Any]", options: "dict[str, Any]", place: "Place"
    ) -> None:
        self.function = function
        self.options = options
        self.place = place
        self.nodes: dict[str, Node] = {}
        self.prefix = ""
        self.groups: tuple[TaskGroup, ...] = ()
        self.scopes: tuple[list[Node], ...] = ()

    def add(self, node: Node, name: str) -> "Reference":
        """Add ``node``, named by its option ``task_id`` or else after ``name`` as Airflow does."""
        chosen = node.options.get("task_id")
        if chosen is None:
            first = task_id = self.prefix + name
            count = 0
            while task_id in self.nodes:
                count += 1
                task_id = f"{first}__{count}"
        else:
            task_id = chosen[0]
            if isinstance(task_id, str):
                task_id = self.prefix + task_id
            if not isinstance(task_id, str) or task_id in self.nodes:
                from leoflow import mistake

                report(mistake.unusable_task_id(task_id, node, self.nodes))
                return Reference(node)
        node.task_id = task_id
        self.nodes[task_id] = node
        for scope in self.scopes:
            scope.append(node)
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
        link(self, other)
        return other

    def __lshift__(self, other: "Any") -> "Any":
        link(other, self)
        return other

    def __rrshift__(self, other: "Any") -> "Reference":
        link(other, self)
        return self

    def __rlshift__(self, other: "Any") -> "Reference":
        link(self, other)
        return self

    def __enter__(self) -> "Reference":
        from leoflow import lifecycle

        return lifecycle.enter(self)

    def __exit__(self, *_: object) -> None:
        from leoflow import lifecycle

        lifecycle.leave(self)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Reference):
            return self is other
        return _COMPARED(self)  # type: ignore[no-any-return]

    __hash__ = object.__hash__

    def __getattr__(self, name: str) -> "Any":
        if name[:2] == "__":
            raise AttributeError(name)
        if name == "as_setup" or name == "as_teardown":
            from leoflow import lifecycle

            return lifecycle.method(self, name)
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


def link(upstream: "Any", downstream: "Any") -> None:
    """Let every task of ``downstream`` wait for those of ``upstream``."""
    for later in _nodes(downstream, "leoflow_roots"):
        for earlier in _nodes(upstream, "leoflow_leaves"):
            if earlier not in later.upstream:
                later.upstream.append(earlier)


def _nodes(found: "Any", side: str) -> "list[Node]":
    """Return the tasks of ``found``; of a group those on the ``side`` where the arrow is."""
    if isinstance(found, Reference):
        return [found.node]
    if isinstance(found, (list, tuple)):
        return [node for item in found for node in _nodes(item, side)]
    if hasattr(type(found), side):
        return getattr(found, side)()  # type: ignore[no-any-return]
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
