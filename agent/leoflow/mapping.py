"""``.partial()``, ``.expand()`` and ``.expand_kwargs()``: a task that runs once for each value.

Only draws: how many instances there are is known at run time. Imported for DAGs that expand.
"""

import leoflow
from leoflow import registry
from leoflow.registry import Reference

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from leoflow import Task
    from leoflow.mistake import DagError


class Partial:
    """A task with the arguments that all of its instances share."""

    def __init__(self, task: "Task", kwargs: "dict[str, Any]") -> None:
        self.task = task
        self.kwargs = kwargs

    def expand(self, *args: "Any", **kwargs: "Any") -> Reference:
        """Add the task, to be run once for each combination of the values of ``kwargs``."""
        return self._add("expand", leoflow.copied(kwargs), self._refuse_expand(args, kwargs))

    def expand_kwargs(self, *listed: "Any") -> Reference:
        """Add the task, to be run once for each mapping of arguments in a list."""
        found = leoflow.copied(listed[0]) if len(listed) == 1 else None
        return self._add("expand_kwargs", found, self._refuse_listed(listed))

    def _add(self, mark: str, over: "Any", wrong: "DagError | None") -> Reference:
        node = registry.Node(self.task.kind, self.task.function, registry.caller())
        node.kwargs = leoflow.copied(self.kwargs)
        node.options = self.task.options
        if wrong is not None:
            registry.report(wrong)
        else:
            node.marks = {**self.task.marks, mark: over}
        assert registry.current is not None
        return registry.current.add(node, self.task.__name__)

    def _refuse_expand(self, args: "Any", kwargs: "dict[str, Any]") -> "DagError | None":
        from leoflow import mistake

        name = self.task.__name__
        place = registry.caller()
        if args or not kwargs:
            return mistake.expand_without_names(name, place)
        for argument, value in kwargs.items():
            if argument in self.kwargs:
                return mistake.given_twice(name, argument, place)
            if not isinstance(value, (Reference, list, tuple, dict)):
                return mistake.not_expandable(name, argument, value, place)
        return None

    def _refuse_listed(self, listed: "Any") -> "DagError | None":
        from leoflow import mistake

        name = self.task.__name__
        place = registry.caller()
        if len(listed) == 1 and isinstance(listed[0], Reference):
            return None
        if len(listed) != 1 or not isinstance(listed[0], (list, tuple)):
            return mistake.not_listed(name, listed, place)
        for item in listed[0]:
            if not isinstance(item, (Reference, dict)):
                return mistake.not_listed(name, item, place)
            for argument in () if isinstance(item, Reference) else item:
                if argument in self.kwargs:
                    return mistake.given_twice(name, argument, place)
        return None

    def __getattr__(self, name: str) -> "Any":
        if name[:2] == "__":
            raise AttributeError(name)
        from leoflow import mistake

        raise mistake.unknown_partial_attribute(self.task.__name__, name, registry.caller())

    def __rshift__(self, other: "Any") -> "Any":
        from leoflow import mistake

        registry.report(mistake.never_expanded(self.task.__name__, registry.caller()))
        return other

    __lshift__ = __rshift__


def method(task: "Task", name: str) -> "Any":
    """Return what ``task`` has under ``name`` beside its own methods; DagError if nothing."""
    from leoflow import mistake

    if name not in ("partial", "expand", "expand_kwargs"):
        raise mistake.unknown_task_attribute(task.__name__, name, registry.caller())
    if registry.current is None:
        raise mistake.expanded_outside(task.__name__, name, registry.caller())
    if name != "partial":
        return getattr(Partial(task, {}), name)

    def partial(*args: "Any", **kwargs: "Any") -> Partial:
        if args:
            registry.report(mistake.partial_without_names(task.__name__, registry.caller()))
        return Partial(task, kwargs)

    return partial
