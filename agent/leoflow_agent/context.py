"""What a task may ask for by naming a parameter, or gets all of with ``**context``, as in Airflow.

Imported only for functions that have parameters which the call in the DAG did not give.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from leoflow_agent.exchange import Exchange
    from leoflow_agent.wire import Inputs, TaskContext

NAMES = (
    "dag_id",
    "dag_run",
    "data_interval_end",
    "data_interval_start",
    "ds",
    "ds_nodash",
    "logical_date",
    "map_index",
    "params",
    "run_id",
    "task_id",
    "task_instance",
    "ti",
    "try_number",
    "ts",
    "ts_nodash",
)
_TAKES_MORE = 0x08  # inspect.CO_VARKEYWORDS
_RUN_TYPES = ("backfill", "scheduled", "manual", "asset_triggered")

_current: "dict[str, Any]" = {}


def current() -> "dict[str, Any]":
    """Return the context of this process's task, the same mapping each time."""
    if not _current:
        from leoflow_agent import child
        from leoflow_agent.exchange import Exchange

        assert child.current is not None
        workload, messages, inputs_fd = child.current
        exchange = Exchange(messages, inputs_fd, workload["xcom_limit_bytes"])
        _current.update(make_context(workload["context"], exchange))
    return _current


def injected(
    function: "Callable[..., Any]", inputs: "Inputs", find: "Callable[[], Mapping[str, Any]]"
) -> "dict[str, Any]":
    """Return the context values that ``function`` takes and the call did not give.

    ``find`` gives the whole context; it is asked only if something is taken.
    """
    wanted = free(function, len(inputs["args"]), inputs["kwargs"])
    if not wanted:
        return {}
    values = find()
    return {name: values[name] for name in wanted}


def free(function: "Callable[..., Any]", args: int, kwargs: "Mapping[str, Any]") -> "list[str]":
    """Return the names of context values that ``function`` takes beside ``args`` positional
    arguments and ``kwargs``.

    As in Airflow, a wrapper that takes everything is looked through, if functools.wraps made it.
    """
    code, unasked = _code_of(function)
    while code is not None and code.co_flags & _TAKES_MORE and hasattr(function, "__wrapped__"):
        function = function.__wrapped__
        code, unasked = _code_of(function)
    if code is None:
        return []
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    given = {*names[: min(unasked + args, code.co_argcount)], *kwargs}
    taken = NAMES if code.co_flags & _TAKES_MORE else names[unasked:]
    return [name for name in taken if name in NAMES and name not in given]


def _code_of(function: "Any") -> "tuple[Any, int]":
    """Return the code that a call of ``function`` runs, and how many arguments it gets unasked."""
    found = getattr(function, "__code__", None)
    if found is not None:
        return found, int(getattr(function, "__self__", None) is not None)
    return getattr(type(function).__call__, "__code__", None), 1


def make_context(facts: "TaskContext", exchange: "Exchange | None") -> "dict[str, Any]":
    """Return every value by its name; instants are datetimes with an offset."""
    from datetime import datetime

    from leoflow.runcontext import DagRun, TaskInstance

    logical_date = datetime.fromisoformat(facts["logical_date"])
    start = datetime.fromisoformat(facts["data_interval_start"])
    end = datetime.fromisoformat(facts["data_interval_end"])
    kind = facts["run_id"].partition("__")[0]
    instance = TaskInstance(dict(facts), exchange)
    return {
        "dag_id": facts["dag_id"],
        "dag_run": DagRun(
            facts["dag_id"],
            facts["run_id"],
            logical_date,
            facts["conf"],
            kind if kind in _RUN_TYPES else "manual",
            start,
            end,
        ),
        "data_interval_end": end,
        "data_interval_start": start,
        "ds": logical_date.strftime("%Y-%m-%d"),
        "ds_nodash": logical_date.strftime("%Y%m%d"),
        "logical_date": logical_date,
        "map_index": facts["map_index"],
        "params": facts["params"],
        "run_id": facts["run_id"],
        "task_id": facts["task_id"],
        "task_instance": instance,
        "ti": instance,
        "try_number": facts["try_number"],
        "ts": logical_date.isoformat(),
        "ts_nodash": logical_date.strftime("%Y%m%dT%H%M%S"),
    }
