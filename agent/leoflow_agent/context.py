"""What a task may ask for by naming a parameter: the facts of its run, as in Airflow.

Imported only for functions that have parameters which the call in the DAG did not give.
"""

from collections import namedtuple
from datetime import datetime

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from leoflow_agent.wire import Inputs, TaskContext

DagRun = namedtuple("DagRun", "dag_id run_id logical_date conf")
TaskInstance = namedtuple("TaskInstance", "dag_id run_id task_id map_index try_number max_tries")

NAMES = (
    "dag_run",
    "data_interval_end",
    "data_interval_start",
    "ds",
    "logical_date",
    "map_index",
    "params",
    "run_id",
    "task_id",
    "ti",
    "try_number",
    "ts",
)


def injected(
    function: "Callable[..., Any]", inputs: "Inputs", context: "TaskContext"
) -> "dict[str, Any]":
    """Return the context values that ``function`` names and the call did not give."""
    code = function.__code__
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    free = [name for name in names[len(inputs["args"]) :] if name not in inputs["kwargs"]]
    if not any(name in NAMES for name in free):
        return {}
    values = _values(context)
    return {name: values[name] for name in free if name in values}


def _values(context: "TaskContext") -> "dict[str, Any]":
    logical_date = datetime.fromisoformat(context["logical_date"])
    run = DagRun(context["dag_id"], context["run_id"], logical_date, context["conf"])
    instance = TaskInstance(*(context[name] for name in TaskInstance._fields))  # type: ignore[literal-required]
    return {
        "dag_run": run,
        "data_interval_end": datetime.fromisoformat(context["data_interval_end"]),
        "data_interval_start": datetime.fromisoformat(context["data_interval_start"]),
        "ds": logical_date.strftime("%Y-%m-%d"),
        "logical_date": logical_date,
        "map_index": context["map_index"],
        "params": context["params"],
        "run_id": context["run_id"],
        "task_id": context["task_id"],
        "ti": instance,
        "try_number": context["try_number"],
        "ts": logical_date.isoformat(),
    }
