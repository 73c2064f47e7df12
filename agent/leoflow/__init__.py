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
    "TaskGroup",
    "TaskInstance",
    "TaskTerminated",
    "dag",
    "get_current_context",
    "setup",
    "task",
    "task_group",
    "teardown",
]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from leoflow.group import TaskGroup, task_group
    from leoflow.lifecycle import setup, teardown
    from leoflow.mistake import DagError
    from leoflow.outcome import FailTask, SkipTask, TaskTerminated
    from leoflow.registry import Place
    from leoflow.runcontext import DagRun, TaskInstance, get_current_context

DAG_OPTIONS = (
    "dag_id",
    "description",
    "tags",
    "params",
    "schedule",
    "start_date",
    "end_date",
    "timezone",
    "catchup",
    "max_active_runs",
    "max_active_tasks",
    "dagrun_timeout_seconds",
    "is_paused_upon_creation",
    "default_args",
    "staging",
    "on_success_webhooks",
    "on_failure_webhooks",
)
TASK_OPTIONS = (
    "task_id",
    "retries",
    "retry_delay_seconds",
    "retry_exponential_backoff",
    "max_retry_delay_seconds",
    "execution_timeout_seconds",
    "trigger_rule",
    "depends_on_past",
    "wait_for_downstream",
    "max_active_tis_per_dag",
    "max_active_tis_per_dagrun",
    "resources",
    "artifacts",
    "variables",
    "connections",
    "on_success_webhooks",
    "on_failure_webhooks",
    "kubernetes",
)


class Task:
    """A function that becomes a task when it is called inside of a DAG function.

    Called anywhere else, in a test or from another task, it is the plain function.
    """

    def __init__(
        self,
        function: "Callable[..., Any]",
        kind: str,
        options: "dict[str, Any]",
        marks: "dict[str, Any]" = registry.NO_MARKS,
    ) -> None:
        self.function = self.__wrapped__ = function
        self.kind = kind
        self.options = options
        self.marks = marks
        self.__name__ = getattr(function, "__name__", "")
        self.__doc__ = function.__doc__
        self.__module__ = function.__module__

    def __call__(self, *args: "Any", **kwargs: "Any") -> "Any":
        graph = registry.current
        if graph is None:
            return self.function(*args, **kwargs)
        node = registry.Node(self.kind, self.function, registry.caller())
        node.args = copied(args)
        node.kwargs = copied(kwargs)
        node.options = self.options
        node.marks = self.marks
        return graph.add(node, self.__name__)

    def override(self, **options: "Any") -> "Task":
        """Return the same task with other options, for one call."""
        given = placed(options, TASK_OPTIONS, f"task '{self.__name__}'")
        return Task(self.function, self.kind, {**self.options, **given}, self.marks)

    def __getattr__(self, name: str) -> "Any":
        if name[:2] == "__":
            raise AttributeError(name)
        from leoflow import mapping

        return mapping.method(self, name)

    def __rshift__(self, other: "Any") -> "Any":
        from leoflow import mistake

        registry.report(mistake.not_a_task(self, registry.caller()))
        return other

    __lshift__ = __rshift__


class TaskDecorator:
    """``@task``, ``@task.bash``, and the rarer kinds, which ``seldom`` finds."""

    def __call__(self, function: "Any" = None, **options: "Any") -> "Any":
        """Make a function a task that runs it and leaves what it returns as its result."""
        return decorate("python", function, options)

    def bash(self, function: "Any" = None, **options: "Any") -> "Any":
        """Make a function a task that runs the command which the function returns."""
        return decorate("bash", function, options)

    def __getattr__(self, name: str) -> "Any":
        if name[:2] == "__":
            raise AttributeError(name)
        from leoflow import seldom

        return seldom.decorator(name)


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
    options = {name: value for name, (value, _) in placed(options, DAG_OPTIONS, "@dag").items()}

    def declare(function: "Callable[..., Any]") -> DagDeclaration:
        declaration = DagDeclaration(function, options, place)
        registry.declared.append(declaration)
        return declaration

    return declare if function is None else declare(function)


def decorate(
    kind: str, function: "Any", options: "dict[str, Any]", known: "tuple[str, ...]" = TASK_OPTIONS
) -> "Any":
    """Make a function a task of ``kind``, or return what does so if there are options alone."""
    name = "@task" if kind == "python" else "@task." + kind
    place = registry.caller()
    given = placed(options, known, name)

    def make(function: "Any") -> Task:
        if not hasattr(function, "__code__"):
            from leoflow import mistake

            raise mistake.not_a_function(name, function, place)
        return Task(function, kind, given)

    return make if function is None else make(function)


def placed(
    options: "dict[str, Any]", known: "tuple[str, ...]", owner: str
) -> "dict[str, tuple[Any, Place]]":
    """Return the ``known`` options with the place where they are written; report the others."""
    place = registry.caller()
    found = {}
    for name, value in options.items():
        if name in known:
            found[name] = (value, place)
            continue
        from leoflow import mistake

        registry.report(mistake.unknown_option(name, known, owner, place))
    return found


def copied(value: "Any") -> "Any":
    """Copy the containers in ``value``: what the user changes after the call is not its input."""
    kind = type(value)
    if kind is list or kind is tuple:
        return kind([copied(item) for item in value])
    if kind is dict:
        return {key: copied(item) for key, item in value.items()}
    return value


task = TaskDecorator()


def __getattr__(name: str) -> "Any":
    """Import what few tasks need when one asks for it."""
    from leoflow.seldom import find

    return find(name)
