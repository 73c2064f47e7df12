"""What users import in dag.py: ``from leoflow import dag, task``.

The two decorators turn calls of functions into nodes of a graph. Options are only carried here;
what they may be is decided where the project is validated. Every task's container imports this
module and ``registry``, so they import sys and nothing else until something is wrong.
"""

from leoflow import registry

__all__ = [
    "DagError",
    "DagRun",
    "FailTask",
    "SkipTask",
    "TaskInstance",
    "TaskTerminated",
    "dag",
    "get_current_context",
    "task",
]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from leoflow.mistake import DagError
    from leoflow.outcome import FailTask, SkipTask, TaskTerminated
    from leoflow.registry import Place, Reference
    from leoflow.runcontext import DagRun, TaskInstance, get_current_context

DAG_OPTIONS = ("dag_id", "description", "tags", "params")
TASK_OPTIONS = (
    "task_id",
    "retries",
    "retry_delay_seconds",
    "execution_timeout_seconds",
    "trigger_rule",
    "resources",
    "artifacts",
    "variables",
    "connections",
)
HTTP_FIELDS = (
    "url",
    "method",
    "headers",
    "query",
    "body",
    "timeout_seconds",
    "success_codes",
    "execution_mode",
    "connect_timeout_seconds",
    "request_retries",
    "retry_codes",
    "poll",
    "pagination",
    "save_as",
)


class Task:
    """A function that becomes a task when it is called inside of a DAG function.

    Called anywhere else, in a test or from another task, it is the plain function.
    """

    def __init__(
        self, function: "Callable[..., Any]", kind: str, options: "dict[str, Any]"
    ) -> None:
        self.function = self.__wrapped__ = function
        self.kind = kind
        self.options = options
        self.__name__ = getattr(function, "__name__", "")
        self.__doc__ = function.__doc__
        self.__module__ = function.__module__

    def __call__(self, *args: "Any", **kwargs: "Any") -> "Any":
        graph = registry.current
        if graph is None:
            return self.function(*args, **kwargs)
        node = registry.Node(self.kind, self.function, registry.caller())
        node.args = _copied(args)
        node.kwargs = _copied(kwargs)
        node.options = self.options
        return graph.add(node, self.__name__)

    def override(self, **options: "Any") -> "Task":
        """Return the same task with other options, for one call."""
        given = _placed(options, TASK_OPTIONS, f"task '{self.__name__}'")
        return Task(self.function, self.kind, {**self.options, **given})

    def __getattr__(self, name: str) -> "Any":
        if name[:2] == "__":
            raise AttributeError(name)
        from leoflow import mistake

        raise mistake.unknown_task_attribute(self.__name__, name, registry.caller())

    def __rshift__(self, other: "Any") -> "Any":
        from leoflow import mistake

        registry.report(mistake.not_a_task(self, registry.caller()))
        return other

    __lshift__ = __rshift__


class TaskDecorator:
    """``@task``, ``@task.bash`` and ``task.http_api``."""

    def __call__(self, function: "Any" = None, **options: "Any") -> "Any":
        """Make a function a task that runs it and leaves what it returns as its result."""
        return _decorate("python", function, options)

    def bash(self, function: "Any" = None, **options: "Any") -> "Any":
        """Make a function a task that runs the command which the function returns."""
        return _decorate("bash", function, options)

    def http_api(self, **fields: "Any") -> "Reference | None":
        """Add a task that sends one HTTP request; only inside of a DAG function."""
        place = registry.caller()
        options = _placed(fields, TASK_OPTIONS + HTTP_FIELDS, "task.http_api")
        node = registry.Node("http_api", None, place)
        node.kwargs = _copied({name: fields[name] for name in HTTP_FIELDS if name in fields})
        node.options = {name: options[name] for name in TASK_OPTIONS if name in options}
        graph = registry.current
        if graph is None or "task_id" not in fields or "url" not in fields:
            from leoflow import mistake

            registry.report(mistake.incomplete_http_api(fields, place))
            return registry.Reference(node)
        return graph.add(node, "http_api")

    def __getattr__(self, name: str) -> "Any":
        if name[:2] == "__":
            raise AttributeError(name)
        from leoflow import mistake

        raise mistake.unknown_decorator(name, registry.caller())


class DagDeclaration:
    """A DAG function: calling it draws the graph of the project's one DAG."""

    def __init__(
        self, function: "Callable[..., Any]", options: "dict[str, Any]", place: "Place"
    ) -> None:
        self.function = self.__wrapped__ = function
        self.options = options
        self.place = place
        self.called = False
        self.__name__ = getattr(function, "__name__", "")
        self.__doc__ = function.__doc__
        self.__module__ = function.__module__

    def __call__(self, *args: "Any", **kwargs: "Any") -> registry.Graph:
        self.called = True
        graph = registry.Graph(self.function, self.options, registry.caller())
        if registry.current is not None:
            from leoflow import mistake

            registry.report(mistake.nested_dag(self, graph.place))
            return graph
        registry.graphs.append(graph)
        registry.current = graph
        try:
            self.function(*args, **kwargs)
        finally:
            registry.current = None
        return graph


def dag(function: "Any" = None, **options: "Any") -> "Any":
    """Make a function the project's DAG: the tasks that it calls are the DAG's tasks."""
    place = registry.caller()
    if isinstance(function, str):
        options["dag_id"] = function
        function = None
    # What is unknown was reported here, with a better place than its reader could give.
    options = {name: value for name, (value, _) in _placed(options, DAG_OPTIONS, "@dag").items()}

    def declare(function: "Callable[..., Any]") -> DagDeclaration:
        declaration = DagDeclaration(function, options, place)
        registry.declared.append(declaration)
        return declaration

    return declare if function is None else declare(function)


def _decorate(kind: str, function: "Any", options: "dict[str, Any]") -> "Any":
    name = "@task" if kind == "python" else "@task.bash"
    place = registry.caller()
    placed = _placed(options, TASK_OPTIONS, name)

    def make(function: "Any") -> Task:
        if not hasattr(function, "__code__"):
            from leoflow import mistake

            raise mistake.not_a_function(name, function, place)
        return Task(function, kind, placed)

    return make if function is None else make(function)


def _placed(
    options: "dict[str, Any]", known: "tuple[str, ...]", owner: str
) -> "dict[str, tuple[Any, Place]]":
    place = registry.caller()
    placed = {}
    for name, value in options.items():
        if name in known:
            placed[name] = (value, place)
            continue
        from leoflow import mistake

        registry.report(mistake.unknown_option(name, known, owner, place))
    return placed


def _copied(value: "Any") -> "Any":
    """Copy the containers in ``value``: what the user changes after the call is not its input."""
    kind = type(value)
    if kind is list or kind is tuple:
        return kind([_copied(item) for item in value])
    if kind is dict:
        return {key: _copied(item) for key, item in value.items()}
    return value


task = TaskDecorator()


def __getattr__(name: str) -> "Any":
    """Import what few tasks need when one asks for it."""
    if name == "DagError":
        from leoflow import mistake as found
    elif name in ("FailTask", "SkipTask", "TaskTerminated"):
        from leoflow import outcome as found
    elif name in __all__:
        from leoflow import runcontext as found
    else:
        raise AttributeError(f"module 'leoflow' has no attribute {name!r}")
    return getattr(found, name)
