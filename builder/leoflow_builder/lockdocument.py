"""Frozen dataclasses to and from the values of a JSON document, strictly.

What is missing, unknown or of another type is an error with its place: nothing is guessed.
Standard library only, since it is on the way of every build.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import Field, fields, is_dataclass
from functools import cache
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

T = TypeVar("T")


def as_document(value: Any) -> Any:
    """Return a value of texts, tuples, mappings and dataclasses as JSON knows it."""
    if is_dataclass(value):
        return {one.name: as_document(getattr(value, one.name)) for one in fields(value)}
    if isinstance(value, Mapping):
        return {key: as_document(one) for key, one in value.items()}
    if isinstance(value, tuple):
        return [as_document(one) for one in value]
    return value


def from_document(document: Any, kind: type[T], place: str = "") -> T:
    """Return the dataclass ``kind`` that a document holds; ValueError says where it is wrong."""
    if not isinstance(document, dict):
        raise ValueError(f"{_spoken(place)} has to be an object")
    hints = _hints(cast(Any, kind))
    known: Mapping[str, Field[Any]] = {one.name: one for one in fields(kind)}  # type: ignore[arg-type]
    for name in document:
        if name not in known:
            raise ValueError(f"{_spoken(place)} has '{name}', which is unknown")
    values = {}
    for name in known:
        if name not in document:
            raise ValueError(f"{_spoken(place)} has no '{name}'")
        inner = f"{place}.{name}" if place else name
        values[name] = _value(document[name], hints[name], inner)
    return kind(**values)


@cache
def _hints(kind: type[Any]) -> Mapping[str, Any]:
    return get_type_hints(kind)


def _value(value: Any, hint: Any, place: str) -> Any:
    if get_origin(hint) in (Union, types.UnionType):
        inner = next(one for one in get_args(hint) if one is not types.NoneType)
        return None if value is None else _value(value, inner, place)
    if is_dataclass(hint):
        return from_document(value, hint, place)  # type: ignore[arg-type]
    if get_origin(hint) is tuple:
        return _items(value, get_args(hint)[0], place)
    if hint is not str:
        return _entries(value, get_args(hint)[1], place)
    if not isinstance(value, str):
        raise ValueError(f"{_spoken(place)} is {value!r}, and has to be text")
    return value


def _items(value: Any, hint: Any, place: str) -> tuple[Any, ...]:
    if not isinstance(value, list):
        raise ValueError(f"{_spoken(place)} has to be a list")
    return tuple(_value(one, hint, f"{place}[{index}]") for index, one in enumerate(value))


def _entries(value: Any, hint: Any, place: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{_spoken(place)} has to be an object")
    return {key: _value(one, hint, f"{place}['{key}']") for key, one in value.items()}


def _spoken(place: str) -> str:
    return f"'{place}'" if place else "it"
