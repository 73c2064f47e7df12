"""Dynamic task mapping: how many instances a task has, and what each of them is given. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import Any

from leoflow_agent.action import Argument, DictOf, ListOf, XCom
from leoflow_agent.spec import Expansion

from leoflow_controlplane.error import Refused


class Unmappable(Refused):
    """A task cannot be expanded over the value that it is written to be expanded over."""


def expanded_arguments(
    expansion: Expansion, map_index: int, resolve: Callable[[Argument], Any]
) -> dict[str, Any]:
    """Give the arguments of one instance; ``resolve`` fills values into an argument.

    Unmappable if a value is not, or no longer, what the task was expanded over.
    """
    if expansion.listed is not None:
        return _listed_arguments(expansion.listed, map_index, resolve)
    items = {name: _items(arg, resolve(arg)) for name, arg in expansion.kwargs.items()}
    indices = indices_of({name: len(some) for name, some in items.items()}, map_index)
    return {name: some[indices[name]] for name, some in items.items()}


def indices_of(lengths: Mapping[str, int], map_index: int) -> dict[str, int]:
    """Say which item of each argument an instance gets; the last argument varies fastest."""
    if not 0 <= map_index < prod(lengths.values()):
        raise Unmappable(
            f"there is no instance {map_index}: the values of {_names(lengths)} have become fewer "
            "since the task was expanded; clear the whole task to expand it again"
        )
    indices: dict[str, int] = {}
    rest = map_index
    for name in reversed(list(lengths)):
        rest, indices[name] = divmod(rest, lengths[name])
    return {name: indices[name] for name in lengths}


def length_of(argument: Argument, value: Any, *, listed: bool = False) -> int:
    """Give the number of items in what ``argument`` stands for; Unmappable if it has none."""
    if isinstance(value, list) or (isinstance(value, dict) and not listed):
        return len(value)
    wanted = "a list of mappings" if listed else "a list or a mapping"
    raise Unmappable(
        f"cannot be expanded over {_source(argument)}, which is of type '{_type(value)}': "
        f"it has to be {wanted}"
    )


def static_value(argument: Argument) -> Any:
    """Give something of the length and type of an argument that is no XCom itself."""
    if isinstance(argument, ListOf):
        return list(argument.items)
    if isinstance(argument, DictOf):
        return dict(argument.items)
    assert not isinstance(argument, XCom)
    return argument.value


def _listed_arguments(
    argument: Argument, map_index: int, resolve: Callable[[Argument], Any]
) -> dict[str, Any]:
    value = resolve(argument)
    index = indices_of({"expand_kwargs": length_of(argument, value, listed=True)}, map_index)
    item = value[index["expand_kwargs"]]
    if not isinstance(item, dict):
        raise Unmappable(
            f"cannot be expanded over {_source(argument)}: item {map_index} is of type "
            f"'{_type(item)}', and has to be a mapping of arguments"
        )
    return item


def _items(argument: Argument, value: Any) -> list[Any]:
    length_of(argument, value)
    return [[key, item] for key, item in value.items()] if isinstance(value, dict) else value


def _source(argument: Argument) -> str:
    if isinstance(argument, XCom):
        return f"what task '{argument.task_id}' returned"
    return "a value in the DAG"


def _type(value: Any) -> str:
    return "null" if value is None else type(value).__name__


def _names(lengths: Mapping[str, int]) -> str:
    return ", ".join(f"'{name}'" for name in lengths)
