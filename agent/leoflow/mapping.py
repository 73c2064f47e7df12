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


class Partial:
    """A task with the arguments that all of its instances share."""

    def __init__(self, task: "Task", kwargs: "dict[str, Any]") -> None:
        self.task = task
        self.kwargs = kwargs

    def expand(self, *args: "Any", **kwargs: "Any") -> Reference:
        """Add the task, to be run once for each combination of the values of ``kwargs``."""
        wrong = self._wrong_names(args, kwargs)
        return self._add({"expand": leoflow.copied(kwargs)}, wrong)

    def expand_kwargs(self, *listed: "Any") -> Reference:
        """Add the task, to be run once for each mapping of arguments in a list."""
        wrong = self._wrong_list(listed)
        return self._add({} if wrong else {"expand_kwargs": leoflow.copied(listed[0])}, wrong)

    def _add(self, marks: "dict[str, Any]", wrong: "tuple[Any, ...] | None") -> Reference:
        """Add the task; ``wrong`` is the name of a text in ``mistake``, and what it is about."""
        node = registry.Node(self.task.kind, self.task.function, registry.caller())
        node.kwargs = leoflow.copied(self.kwargs)
        node.options = self.task.options
        if wrong is None:
            node.marks = {**self.task.marks, **marks}
        else:
            from leoflow import mistake

            say = getattr(mistake, wrong[0])
            registry.report(say(self.task.__name__, *wrong[1:], node.place))
        assert registry.current is not None
        return registry.current.add(node, self.task.__name__)

    def _wrong_names(self, args: "Any", kwargs: "dict[str, Any]") -> "tuple[Any, ...] | None":
        if args or not kwargs:
            return ("expand_without_names",)
        for argument, value in kwargs.items():
            if argument in self.kwargs:
                return "given_twice", argument
            if not isinstance(value, (Reference, list, tuple, dict)):
                return "not_expandable", argument, value
        return None

    def _wrong_list(self, listed: "Any") -> "tuple[Any, ...] | None":
        if len(listed) != 1:
            return "not_listed", listed
        if isinstance(listed[0], Reference):
            return None
        if not isinstance(listed[0], (list, tuple)):
            return "not_listed", listed[0]
        for item in listed[0]:
            if not isinstance(item, (Reference, dict)):
                return "not_listed", item
            for argument in () if isinstance(item, Reference) else item:
                if argument in self.kwargs:
                    return "given_twice", argument
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
    is_known = name in ("partial", "expand", "expand_kwargs")
    if not is_known or registry.current is None:
        from leoflow import mistake

        say = mistake.expanded_outside if is_known else mistake.unknown_task_attribute
        raise say(task.__name__, name, registry.caller())
    if name != "partial":
        return getattr(Partial(task, {}), name)

    def partial(*args: "Any", **kwargs: "Any") -> Partial:
        if args:
            from leoflow import mistake

            registry.report(mistake.partial_without_names(task.__name__, registry.caller()))
        return Partial(task, kwargs)

    return partial
