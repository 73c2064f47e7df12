"""Setups and teardowns: tasks that make what others need, and clean it up however those end.

Imported only for DAGs that have one.
"""

import leoflow
from leoflow import registry
from leoflow.registry import Node, Reference

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from leoflow import Task


def setup(function: "Any" = None, **options: "Any") -> "Any":
    """Make a function or a task a setup, as in Airflow."""
    return _marked(function, options, {"setup": True})


def teardown(
    function: "Any" = None, *, on_failure_fail_dagrun: bool = False, **options: "Any"
) -> "Any":
    """Make a function or a task a teardown, which runs however the tasks before it end.

    A run does not fail with it, unless ``on_failure_fail_dagrun``.
    """
    return _marked(function, options, {"teardown": on_failure_fail_dagrun})


def _marked(function: "Any", options: "dict[str, Any]", marks: "dict[str, Any]") -> "Any":
    def mark(found: "Any") -> "Task":
        if not isinstance(found, leoflow.Task):
            found = leoflow.decorate("python", found, options)
            return leoflow.Task(found.function, found.kind, found.options, marks)
        changed = found.override(**options) if options else found
        return leoflow.Task(
            changed.function, changed.kind, changed.options, {**found.marks, **marks}
        )

    return mark if function is None else mark(function)


def method(reference: Reference, name: str) -> "Any":
    """Return the method ``as_setup`` or ``as_teardown`` of a called task."""
    node = reference.node

    def as_setup() -> Reference:
        node.marks = {**node.marks, "setup": True}
        return reference

    def as_teardown(
        *, setups: "Any" = (), on_failure_fail_dagrun: "bool | None" = None
    ) -> Reference:
        fails = on_failure_fail_dagrun
        if fails is None:
            fails = node.marks.get("teardown", False)
        node.marks = {**node.marks, "teardown": fails}
        for one in setups if isinstance(setups, (list, tuple)) else [setups]:
            if isinstance(one, Reference):
                one.node.marks = {**one.node.marks, "setup": True}
            registry.link(one, reference)
        return reference

    return as_setup if name == "as_setup" else as_teardown


def enter(reference: Reference) -> Reference:
    """Begin ``with reference:``, the tasks between a setup and its teardown."""
    graph = registry.current
    node = reference.node
    if graph is None or not ("teardown" in node.marks or "setup" in node.marks):
        from leoflow import mistake

        raise mistake.not_a_lifecycle(node.task_id, registry.caller())
    graph.scopes = (*graph.scopes, [])
    return reference


def leave(reference: Reference) -> None:
    """End ``with reference:``: setups before the first of its tasks, the teardown after the last"""
    graph = registry.current
    assert graph is not None
    between = graph.scopes[-1]
    graph.scopes = graph.scopes[:-1]
    node = reference.node
    is_teardown = "teardown" in node.marks
    setups = [one for one in node.upstream if "setup" in one.marks] if is_teardown else [node]
    inside = set(between)
    waited_for = {earlier for one in between for earlier in upstream_of(one)}
    first = [one for one in between if inside.isdisjoint(upstream_of(one))]
    last = [one for one in between if one not in waited_for]
    registry.link(_references(setups), _references(first))
    if is_teardown:
        registry.link(_references(last), reference)


def _references(nodes: "list[Node]") -> "list[Reference]":
    return [Reference(node) for node in nodes]


def upstream_of(node: Node) -> "Iterable[Node]":
    """Yield every task that ``node`` waits for, by an arrow or for its result."""
    yield from node.upstream
    yield from _referred((node.args, node.kwargs, node.marks))


def _referred(value: "Any") -> "Iterable[Node]":
    if isinstance(value, Reference):
        yield value.node
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _referred(item)
    elif isinstance(value, dict):
        yield from _referred(list(value.values()))
