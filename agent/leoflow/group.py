"""``@task_group`` and ``TaskGroup``: tasks under a name, and arrows to and from all of them.

Imported only for DAGs that have one.
"""

import leoflow
from leoflow import registry
from leoflow.lifecycle import upstream_of
from leoflow.registry import Node

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

GROUP_OPTIONS = ("group_id", "tooltip", "prefix_group_id")


class TaskGroup:
    """A group: what is drawn inside of ``with TaskGroup("name"):`` belongs to it.

    The ids of its tasks and groups begin with its own and a dot, unless ``prefix_group_id`` is
    False.
    """

    def __init__(self, group_id: str, **options: "Any") -> None:
        given = leoflow.placed(options, GROUP_OPTIONS[1:], "TaskGroup")
        self.given_id = group_id
        self.tooltip = given["tooltip"][0] if "tooltip" in given else ""
        self.prefixes = given["prefix_group_id"][0] if "prefix_group_id" in given else True
        self.place = registry.caller()
        self.group_id = ""
        self.parent: TaskGroup | None = None
        self.nodes: list[Node] = []
        self._before: tuple[str, TaskGroup | None] = ("", None)

    def __enter__(self) -> "TaskGroup":
        graph = registry.current
        if graph is None or not isinstance(self.given_id, str):
            from leoflow import mistake

            raise mistake.unusable_group(self.given_id, self.place)
        self.group_id = graph.prefix + self.given_id
        self._before = graph.prefix, _open(graph)
        self.parent = self._before[1]
        if self.prefixes:
            graph.prefix = self.group_id + "."
        graph.groups = (*graph.groups, self)
        graph.scopes = (*graph.scopes, self.nodes)
        return self

    def __exit__(self, *_: object) -> None:
        graph = registry.current
        assert graph is not None
        graph.prefix = self._before[0]
        graph.scopes = tuple(scope for scope in graph.scopes if scope is not self.nodes)

    def __rshift__(self, other: "Any") -> "Any":
        registry.link(self, other)
        return other

    def __lshift__(self, other: "Any") -> "Any":
        registry.link(other, self)
        return other

    def __rrshift__(self, other: "Any") -> "TaskGroup":
        registry.link(other, self)
        return self

    def __rlshift__(self, other: "Any") -> "TaskGroup":
        registry.link(self, other)
        return self

    def leoflow_roots(self) -> "list[Node]":
        """Return the tasks that wait for none of the group: where an arrow to it goes."""
        inside = set(self.nodes)
        found = [one for one in self.nodes if inside.isdisjoint(upstream_of(one))]
        return found or self._refuse_empty()

    def leoflow_leaves(self) -> "list[Node]":
        """Return the tasks that an arrow from the group comes from.

        They are those that none of it waits for. As in Airflow, what waits for the group does not
        wait for its teardowns, but for what these clean up after.
        """
        work = [one for one in self.nodes if "teardown" not in one.marks]
        inner = {earlier for one in work for earlier in upstream_of(one)}
        inner.update(
            earlier
            for one in self.nodes
            if "teardown" in one.marks
            for earlier in upstream_of(one)
            if "setup" in earlier.marks
        )
        return [one for one in work if one not in inner] or work or self._refuse_empty()

    def _refuse_empty(self) -> "list[Node]":
        from leoflow import mistake

        registry.report(mistake.empty_group(self.group_id or self.given_id, registry.caller()))
        return []


class GroupFunction:
    """A function that draws a group each time it is called inside of a DAG function."""

    def __init__(self, function: "Callable[..., Any]", options: "dict[str, Any]") -> None:
        self.function = self.__wrapped__ = function
        self.options = options
        self.__name__ = getattr(function, "__name__", "")
        self.__doc__ = function.__doc__
        self.__module__ = function.__module__

    def __call__(self, *args: "Any", **kwargs: "Any") -> "Any":
        graph = registry.current
        options = {name: value for name, (value, _) in self.options.items()}
        group_id = options.pop("group_id", self.__name__)
        if graph is not None and isinstance(group_id, str):
            group_id = _free(graph, group_id)
        with TaskGroup(group_id, **options) as group:
            result = self.function(*args, **kwargs)
        return group if result is None else result

    def override(self, **options: "Any") -> "GroupFunction":
        """Return the same group with other options, for one call."""
        given = leoflow.placed(options, GROUP_OPTIONS, f"task group '{self.__name__}'")
        return GroupFunction(self.function, {**self.options, **given})

    def __getattr__(self, name: str) -> "Any":
        if name[:2] == "__":
            raise AttributeError(name)
        from leoflow import mistake

        raise mistake.unknown_group_attribute(self.__name__, name, registry.caller())

    def __rshift__(self, other: "Any") -> "Any":
        from leoflow import mistake

        registry.report(mistake.not_a_task(self, registry.caller()))
        return other

    __lshift__ = __rshift__


def task_group(function: "Any" = None, **options: "Any") -> "Any":
    """Make a function a group: the tasks that it calls are in the group."""
    place = registry.caller()
    if isinstance(function, str):
        options["group_id"] = function
        function = None
    given = leoflow.placed(options, GROUP_OPTIONS, "@task_group")

    def make(function: "Any") -> GroupFunction:
        if not hasattr(function, "__code__"):
            from leoflow import mistake

            raise mistake.not_a_function("@task_group", function, place)
        return GroupFunction(function, given)

    return make if function is None else make(function)


def _open(graph: registry.Graph) -> "TaskGroup | None":
    """Return the innermost group that is being drawn."""
    for scope in reversed(graph.scopes):
        for group in graph.groups:
            if group.nodes is scope:
                return group
    return None


def _free(graph: registry.Graph, group_id: str) -> str:
    """Return an id that no group has yet, numbered as Airflow does."""
    taken = {group.group_id for group in graph.groups}
    count, free = 0, group_id
    while graph.prefix + free in taken:
        count += 1
        free = f"{group_id}__{count}"
    return free
