"""What a task is expanded over, however it is written, and what dag.yaml may say of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leoflow_agent.action import Action, Argument, BashAction, DictOf, ListOf, PythonAction, Value
from leoflow_agent.spec import Expansion

from leoflow_builder.written import Complaint


def over_named(named: Mapping[str, Argument]) -> Expansion:
    """Return the expansion over each combination of the values in ``named``."""
    return Expansion({name: _in_order(one) for name, one in named.items()}, order=tuple(named))


def _in_order(argument: Argument) -> Argument:
    """Return a mapping as the pairs that it is expanded into: JSON does not keep its order."""
    if isinstance(argument, Value) and isinstance(argument.value, dict):
        return Value([[key, item] for key, item in argument.value.items()])
    if isinstance(argument, DictOf):
        return ListOf(tuple(ListOf((Value(key), one)) for key, one in argument.items.items()))
    return argument


def written_expansion(
    named: Mapping[str, Argument], listed: Argument | None, action: Action
) -> tuple[Expansion | None, list[Complaint]]:
    """Return the expansion of a task in dag.yaml, and what is wrong with it.

    ``named`` is empty and ``listed`` None where the one or the other is not written.
    """
    if named and listed is not None:
        text = "there is expand as well: keep one of the two"
        return None, [Complaint(("expand_kwargs",), text)]
    shared = _shared(action)
    complaints = [*_check_named(named, shared)]
    if listed is not None:
        complaints += _check_listed(listed, shared)
    elif not named:
        text = "expand names no argument: write for example expand: {day: [1, 2]}"
        complaints.append(Complaint(("expand",), text))
    if complaints:
        return None, complaints
    return over_named(named) if listed is None else Expansion(listed=listed), []


def _shared(action: Action) -> set[str]:
    """Return the names that all instances get the same value for."""
    if isinstance(action, BashAction):
        return set(action.environment)
    return set(action.kwargs) if isinstance(action, PythonAction) else set()


def _check_named(named: Mapping[str, Argument], shared: set[str]) -> list[Complaint]:
    found = []
    for name, argument in named.items():
        if name in shared:
            found.append(_twice(("expand", name), name))
        if isinstance(argument, Value) and not isinstance(argument.value, list | dict):
            text = f"expand.{name} has to be a list, a mapping or a result, not '{argument.value}'"
            found.append(Complaint(("expand", name), text))
    return found


def _check_listed(listed: Argument, shared: set[str]) -> list[Complaint]:
    path = ("expand_kwargs",)
    items: list[Any] = []
    if isinstance(listed, Value) and isinstance(listed.value, list):
        items = listed.value
    elif isinstance(listed, ListOf):
        items = [one.value for one in listed.items if isinstance(one, Value)]
    elif isinstance(listed, Value):
        return [Complaint(path, "expand_kwargs has to be a list of mappings, or a result")]
    wrong = [item for item in items if not isinstance(item, dict)]
    if wrong:
        text = f"expand_kwargs has to be a list of mappings, and '{wrong[0]}' is none"
        return [Complaint(path, text)]
    return [_twice(path, name) for item in items for name in item if name in shared]


def _twice(path: tuple[str, ...], name: str) -> Complaint:
    return Complaint(path, f"'{name}' is given to all instances and expanded over: remove one")
