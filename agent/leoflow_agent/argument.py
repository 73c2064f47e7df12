"""Turns the arguments of a task's call into the JSON of a DagSpec's Argument.

Used by ``read_dag`` only; never imported in a task's container.
"""

from leoflow.registry import Reference

from leoflow_agent import jsonhint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class NotJson(Exception):
    """A value has no JSON; the text says where in it and why: "[2] is a set"."""


def encode(
    value: object, refer: "Callable[[Reference], str | None]", path: str = ""
) -> "dict[str, Any]":
    """Return ``value`` as an Argument; ``refer`` gives the task_id of a reference, or None."""
    if not _has_reference(value):
        _check(value, path)
        return {"kind": "value", "value": value}
    if isinstance(value, Reference):
        return {"kind": "xcom", "task_id": refer(value) or "", "key": "return_value"}
    if isinstance(value, dict):
        _check_keys(value, path)
        named = {key: encode(item, refer, f"{path}[{key!r}]") for key, item in value.items()}
        return {"kind": "dict", "items": named}
    assert isinstance(value, (list, tuple))
    items = [encode(item, refer, f"{path}[{i}]") for i, item in enumerate(value)]
    return {"kind": "list", "items": items}


def problem_of(value: object) -> "str | None":
    """Return where and why ``value`` is not plain JSON, or None."""
    try:
        _check(value, "")
    except NotJson as error:
        return str(error)
    return None


def _has_reference(value: object) -> bool:
    if isinstance(value, Reference):
        return True
    if isinstance(value, dict):
        return any(_has_reference(item) for item in value.values())
    return isinstance(value, (list, tuple)) and any(_has_reference(item) for item in value)


def _check(value: object, path: str) -> None:
    if value is None or isinstance(value, (bool, int)):
        return
    if isinstance(value, str):
        _check_text(value, path)
    elif isinstance(value, float):
        if value - value != 0:
            raise NotJson(f"{path} is {value}, which JSON does not have")
    elif isinstance(value, dict):
        _check_keys(value, path)
        for key, item in value.items():
            _check(item, f"{path}[{key!r}]")
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            _check(item, f"{path}[{index}]")
    else:
        raise NotJson(f"{path} is of type '{_name(value)}'{_hint(value)}")


def _check_text(value: str, path: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise NotJson(f"{path} is not valid Unicode text") from None


def _check_keys(value: "dict[Any, Any]", path: str) -> None:
    for key in value:
        if not isinstance(key, str):
            raise NotJson(f"{path} has the key {key!r}; keys have to be text")
        _check_text(key, path)


def _name(value: object) -> str:
    return type(value).__name__


def _hint(value: object) -> str:
    if hasattr(type(value), "override"):
        name = getattr(value, "__name__", "")
        return f": the task is not called, write {name}()"
    return jsonhint.hint(value)
