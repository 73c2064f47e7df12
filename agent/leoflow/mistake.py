"""The texts of errors in a DAG. Imported only once something is wrong, so it may import more."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from leoflow.registry import Node, Place, Reference


class DagError(Exception):
    """What is wrong with a DAG; ``file`` and ``line`` say where it is written."""

    def __init__(self, message: str, place: "Place") -> None:
        super().__init__(f"{place[0].rpartition('/')[2]}:{place[1]}: {message}")
        self.message = message
        self.file, self.line = place


_NOT_YET = "is not supported yet"
_OWN_CONTAINER = "does not exist: each try has its own container"

FIXES = {
    "retry_delay": "is 'retry_delay_seconds' here, a number of seconds",
    "execution_timeout": "is 'execution_timeout_seconds' here, a number of seconds",
    "timeout": "is 'timeout_seconds' for a request, 'execution_timeout_seconds' for a task",
    "pool": _OWN_CONTAINER + "; say what it needs with 'resources'",
    "pool_slots": _OWN_CONTAINER + "; say what it needs with 'resources'",
    "queue": _OWN_CONTAINER,
    "executor": _OWN_CONTAINER + "; `leoflow run --executor` chooses where",
    "executor_config": _OWN_CONTAINER + "; say what it needs with 'resources'",
    "multiple_outputs": "does not exist: a task returns one value; return a dict",
    "endpoint": "is part of 'url' here",
    "data": "is 'query' or 'body' here",
    "default_args": "is 'defaults' in leoflow.yaml here",
    "env": "is 'environment' in leoflow.yaml here",
    "conn_id": "is 'connections' here, a list of names",
    **dict.fromkeys(
        ("schedule", "schedule_interval", "timetable", "start_date", "end_date", "catchup"),
        _NOT_YET + ": `leoflow run` starts one run",
    ),
    **dict.fromkeys(
        ("depends_on_past", "wait_for_downstream", "priority_weight", "weight_rule", "sla"),
        _NOT_YET,
    ),
    **dict.fromkeys(
        ("max_active_runs", "max_active_tasks", "dagrun_timeout", "retry_exponential_backoff"),
        _NOT_YET,
    ),
    **dict.fromkeys(("on_failure_callback", "on_success_callback", "on_retry_callback"), _NOT_YET),
}


def guess(name: str, known: "Iterable[str]") -> str:
    """Return " Did you mean '…'?" if one of ``known`` is close to ``name``, else nothing."""
    import difflib

    close = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean '{close[0]}'?" if close else ""


def unknown_option(name: str, known: "tuple[str, ...]", owner: str, place: "Place") -> DagError:
    """Say that ``owner`` does not take an argument called ``name``, and what to write."""
    if name in FIXES:
        return DagError(f"{owner}: '{name}' {FIXES[name]}; remove '{name}'", place)
    options = ", ".join(known)
    hint = guess(name, known) or f" It takes {options}."
    return DagError(f"{owner} does not know the argument '{name}'.{hint}", place)


def unusable_task_id(task_id: object, node: "Node", nodes: "dict[str, Node]") -> DagError:
    """Say that a task_id is taken (where), or is not text."""
    place = node.options["task_id"][1]
    if not isinstance(task_id, str):
        return DagError(f"task_id has to be text, not {task_id!r}", place)
    first = nodes[task_id].place
    where = f"{first[0].rpartition('/')[2]}:{first[1]}"
    message = (
        f"task_id '{task_id}' is used twice, first at {where}. Give this call its own: "
        "`.override(task_id=…)`"
    )
    return DagError(message, node.place)


def used_as_value(reference: "Reference", use: str, place: "Place") -> DagError:
    """Say that the result of a task was used while the DAG is drawn."""
    return DagError(
        f"the result of task '{reference.node.task_id}' is {use}, but it exists only at run "
        "time. Hand it to another task as an argument and do this there",
        place,
    )


def not_a_task(found: object, place: "Place") -> DagError:
    """Say that something other than a called task stands beside ``>>`` or ``<<``."""
    name = getattr(found, "__name__", None)
    if hasattr(type(found), "override"):
        return DagError(f"task '{name}' is not called: write {name}() beside >> and <<", place)
    return DagError(
        f"{found!r} is not a task: beside >> and << stand calls of tasks, or lists of them", place
    )


def unknown_task_attribute(task: str, name: str, place: "Place") -> DagError:
    """Say that a task has no such attribute, with the reason where Airflow has it."""
    if name in ("expand", "partial", "expand_kwargs", "map"):
        message = (
            f"task '{task}': .{name}() {_NOT_YET}. Call the task in a for loop over values that "
            "are known when the DAG is written"
        )
        return DagError(message, place)
    return DagError(f"task '{task}' has no attribute '{name}'. It has: override", place)


def unknown_decorator(name: str, place: "Place") -> DagError:
    """Say that there is no ``task.<name>``."""
    hint = " Write @task." if name == "python" else guess(name, ("bash", "http_api"))
    known = "There are @task, @task.bash and task.http_api."
    return DagError(f"task.{name} does not exist in leoflow.{hint} {known}", place)


def incomplete_http_api(fields: "dict[str, Any]", place: "Place") -> DagError:
    """Say what keeps ``task.http_api(…)`` from being a task."""
    for name in ("task_id", "url"):
        if name not in fields:
            return DagError(f"task.http_api needs the argument '{name}'", place)
    return DagError(
        f"task.http_api(task_id={fields['task_id']!r}) is outside of a DAG function: "
        "move it into the function under @dag",
        place,
    )


def nested_dag(declaration: "Any", place: "Place") -> DagError:
    """Say that a DAG function is called while another one draws its graph."""
    return DagError(
        f"'{declaration.__name__}()' is called inside of another DAG function. A project has one "
        "DAG: call the tasks directly",
        place,
    )


def not_a_function(decorator: str, found: object, place: "Place") -> DagError:
    """Say that a decorator stands over something that it cannot make a task."""
    hint = " Options have names: @task(task_id=…)." if isinstance(found, str) else ""
    kind = type(found).__name__
    return DagError(f"{decorator} makes tasks of functions, not of {kind} {found!r}.{hint}", place)
