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


_NOT_YET = "is not supported"
_NO_TEMPLATES = "does not exist: there are no templates, arguments are values"
_WEBHOOK = ", a list of URLs that are told"
_OWN_CONTAINER = "does not exist: each try has its own container"
_POD = "is part of 'kubernetes' here, a dict: kubernetes={"

FIXES = {
    "retry_delay": "is 'retry_delay_seconds' here, a number of seconds",
    "execution_timeout": "is 'execution_timeout_seconds' here, a number of seconds",
    "timeout": "is 'timeout_seconds' for a request, 'execution_timeout_seconds' for a task",
    "pool": _OWN_CONTAINER + "; say what it needs with 'resources'",
    "pool_slots": _OWN_CONTAINER + "; say what it needs with 'resources'",
    "queue": _OWN_CONTAINER,
    "executor": _OWN_CONTAINER + "; `leoflow run --executor` chooses where",
    "executor_config": "is 'kubernetes' here, a dict with what the task's Pod is to have, such as "
    "kubernetes={'node_selector': {…}}; what no field of it says goes into its 'pod_override'",
    "pod_override": _POD + "'pod_override': {'spec': {…}}}, as a dict, not a V1Pod",
    "pod_template_file": "does not exist: say what the task's Pod is to have with 'kubernetes'",
    "node_selector": _POD + "'node_selector': {…}}",
    "tolerations": _POD + "'tolerations': [{…}]}",
    "affinity": _POD + "'affinity': {…}}",
    "service_account_name": _POD + "'service_account_name': '…'}",
    "volumes": _POD + "'volumes': [{…}]}",
    "volume_mounts": _POD + "'volume_mounts': [{…}]}",
    "env_from": _POD + "'env_from': [{…}]}",
    "labels": _POD + "'labels': {…}}",
    "annotations": _POD + "'annotations': {…}}",
    "image_pull_policy": _POD + "'image_pull_policy': 'Always'}",
    "container_resources": "is 'resources' here, a dict",
    "multiple_outputs": "does not exist: a task returns one value; return a dict",
    "endpoint": "is part of 'url' here",
    "data": "is 'query' or 'body' here",
    "max_retry_delay": "is 'max_retry_delay_seconds' here, a number of seconds",
    "dagrun_timeout": "is 'dagrun_timeout_seconds' here, a number of seconds",
    "schedule_interval": "is 'schedule' here, as in Airflow 3",
    "timetable": "is 'schedule' here: cron, a preset, or a timedelta",
    "concurrency": "is 'max_active_tasks' here, as in Airflow 3",
    "task_concurrency": "is 'max_active_tis_per_dag' here, as in Airflow 3",
    "doc_md": "is 'description' here",
    "env": "is 'environment' in leoflow.yaml here",
    "conn_id": "is 'connections' here, a list of names",
    "on_success_callback": "is 'on_success_webhooks' here" + _WEBHOOK,
    "on_failure_callback": "is 'on_failure_webhooks' here" + _WEBHOOK,
    **dict.fromkeys(
        ("template_searchpath", "user_defined_macros", "user_defined_filters"), _NO_TEMPLATES
    ),
    **dict.fromkeys(("priority_weight", "weight_rule", "sla", "deadline"), _NOT_YET),
    **dict.fromkeys(("on_retry_callback", "on_execute_callback", "on_skipped_callback"), _NOT_YET),
    **dict.fromkeys(("map_index_template", "fail_fast", "ui_color", "ui_fgcolor"), _NOT_YET),
    "max_consecutive_failed_dag_runs": _NOT_YET,
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
        kind = "task group" if type(found).__name__ == "GroupFunction" else "task"
        return DagError(f"{kind} '{name}' is not called: write {name}() beside >> and <<", place)
    return DagError(
        f"{found!r} is not a task: beside >> and << stand calls of tasks, or lists of them", place
    )


def unknown_task_attribute(task: str, name: str, place: "Place") -> DagError:
    """Say that a task has no such attribute."""
    known = "override, partial, expand, expand_kwargs"
    hint = guess(name, known.split(", "))
    return DagError(f"task '{task}' has no attribute '{name}'.{hint} It has: {known}", place)


def unknown_partial_attribute(task: str, name: str, place: "Place") -> DagError:
    """Say that ``.partial(…)`` has no such attribute."""
    hint = "Write .override(…) before .partial(…)" if name == "override" else ""
    known = hint or "It has: expand, expand_kwargs"
    return DagError(f"task '{task}': .partial(…) has no attribute '{name}'. {known}", place)


def unknown_http_attribute(name: str, place: "Place") -> DagError:
    """Say that ``task.http_api`` has no such attribute, with the reason where tasks have it."""
    if name in ("partial", "expand", "expand_kwargs"):
        message = (
            f"task.http_api has no .{name}(): a request is written whole. Send the requests in a "
            "@task that is expanded, or call task.http_api in a for loop over values that are known"
        )
        return DagError(message, place)
    return DagError(f"task.http_api has no attribute '{name}': call it", place)


def unknown_group_attribute(group: str, name: str, place: "Place") -> DagError:
    """Say that a function under ``@task_group`` has no such attribute."""
    if name in ("partial", "expand", "expand_kwargs"):
        message = (
            f"task group '{group}': .{name}() is not supported: groups are not expanded, tasks "
            "are. Expand each task of the group over what the one before it returns"
        )
        return DagError(message, place)
    return DagError(f"task group '{group}' has no attribute '{name}'. It has: override", place)


def unknown_decorator(name: str, place: "Place") -> DagError:
    """Say that there is no ``task.<name>``."""
    kinds = ("bash", "branch", "short_circuit", "setup", "teardown", "http_api")
    hint = " Write @task." if name == "python" else guess(name, kinds)
    known = ", ".join(f"@task.{kind}" for kind in kinds[:-1])
    text = (
        f"task.{name} does not exist in leoflow.{hint} There are @task, {known} and task.http_api."
    )
    return DagError(text, place)


def expanded_outside(task: str, name: str, place: "Place") -> DagError:
    """Say that a task is expanded where no DAG is drawn."""
    text = f"task '{task}': .{name}() is outside of a DAG function: move it there. In a test, call "
    return DagError(text + "the task itself for each value", place)


def expand_without_names(task: str, place: "Place") -> DagError:
    """Say that ``.expand()`` takes named arguments, at least one."""
    text = f"task '{task}': .expand() takes arguments by name, at least one: .expand(x=[1, 2])"
    return DagError(text, place)


def partial_without_names(task: str, place: "Place") -> DagError:
    """Say that ``.partial()`` takes named arguments only."""
    return DagError(f"task '{task}': .partial() takes arguments by name: .partial(x=1)", place)


def given_twice(task: str, argument: str, place: "Place") -> DagError:
    """Say that an argument is shared by all instances and expanded over as well."""
    text = f"task '{task}': '{argument}' is given to .partial() and expanded over: remove one"
    return DagError(text, place)


def not_expandable(task: str, argument: str, value: object, place: "Place") -> DagError:
    """Say that an argument of ``.expand()`` has no items."""
    kind = type(value).__name__
    text = f"task '{task}': '{argument}' has to be a list, a dict or the result of a task to be "
    text += f"expanded over, not {kind} {value!r}. "
    return DagError(text + f"What all instances share goes into .partial({argument}=…)", place)


def not_listed(task: str, found: object, place: "Place") -> DagError:
    """Say that ``.expand_kwargs()`` takes one list of mappings."""
    text = f"task '{task}': .expand_kwargs() takes one list of dicts, or the result of a task that "
    return DagError(text + f"returns one, not {found!r}", place)


def never_expanded(task: str, place: "Place") -> DagError:
    """Say that ``.partial(…)`` alone is no task."""
    text = f"task '{task}': .partial(…) alone makes no task: add .expand(…), or call the task"
    return DagError(text, place)


def not_a_lifecycle(task_id: str, place: "Place") -> DagError:
    """Say that ``with`` stands before a task that neither sets up nor tears down."""
    text = f"'with' takes setups and teardowns, and task '{task_id}' is neither: write "
    return DagError(text + "`with clean_up().as_teardown(setups=make()):`", place)


def unusable_group(group_id: object, place: "Place") -> DagError:
    """Say that a group's id is no text, or that it is drawn outside of a DAG."""
    if not isinstance(group_id, str):
        return DagError(f"group_id has to be text, not {group_id!r}", place)
    text = f"task group '{group_id}' is outside of a DAG function: move it into the function"
    return DagError(text + " under @dag", place)


def empty_group(group_id: str, place: "Place") -> DagError:
    """Say that an arrow is drawn to or from a group without tasks."""
    return DagError(f"task group '{group_id}' has no task yet: write the arrow after them", place)


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
