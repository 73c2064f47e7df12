"""Whether the call of a task fits its function, told while the DAG is read.

Used by ``read_dag`` only; never imported in a task's container.
"""

import inspect

from leoflow.registry import Reference

from leoflow_agent import context

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from leoflow.registry import Node

_ELSEWHERE = {
    "conf": "dag_run.conf",
    "conn": "the variable AIRFLOW_CONN_NAME, for the option `connections`",
    "var": "the variable AIRFLOW_VAR_NAME, for the option `variables`",
    "dag": "dag_id",
    "task": "task_id",
}


def calls(node: "Node") -> "Iterator[tuple[dict[str, Any], bool]]":
    """Yield the keyword arguments of each call that is known, and whether they are all."""
    if "expand_kwargs" not in node.marks:
        yield {**node.kwargs, **node.marks.get("expand", {})}, True
        return
    listed = node.marks["expand_kwargs"]
    items = [listed] if isinstance(listed, Reference) else listed
    for item in items:
        is_known = not isinstance(item, Reference)
        yield {**node.kwargs, **(item if is_known else {})}, is_known


def call_problem(
    function: "Callable[..., Any]", args: "Any", kwargs: "dict[str, Any]", is_whole: bool = True
) -> "str | None":
    """Return what is wrong with calling ``function`` so in a task, or None.

    Unless the call ``is_whole``, further arguments come at run time.
    """
    name = getattr(function, "__name__", type(function).__name__)
    if _is_generator(function):
        return f"'{name}' is a generator; a task returns one value: return a list"
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return None
    free = context.free(function, len(args), kwargs)
    bind = signature.bind if is_whole else signature.bind_partial
    try:
        bind(*args, **{**dict.fromkeys(free), **kwargs})
    except TypeError as error:
        return f"the call does not fit {name}{signature}: {error}{_airflow_hint(error)}"
    return None


def _is_generator(function: "Any") -> bool:
    """Tell whether a call gives a generator: by itself, below a wrapper, or as an object."""
    found = inspect.unwrap(function)
    return any(
        inspect.isgeneratorfunction(one) or inspect.isasyncgenfunction(one)
        for one in (found, type(found).__call__)
    )


def _airflow_hint(error: TypeError) -> str:
    """Say where to find what Airflow has in its context under a missing name."""
    for name, place in _ELSEWHERE.items():
        if f"'{name}'" in str(error):
            return f". Airflow's '{name}' is {place} here"
    return ""
