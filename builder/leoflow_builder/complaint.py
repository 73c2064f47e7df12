"""Says in a user's words what a pydantic model refused: one text and one path per mistake.

Pure: where the path lies in a file is the caller's knowledge.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from leoflow_builder.problem import did_you_mean
from leoflow_builder.written import Complaint, Path

_KINDS = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "tuple_type": "a list",
    "dict_type": "a mapping of names to values",
    "model_type": "a mapping of names to values",
    "model_attributes_type": "a mapping of names to values",
}

# The key of what people write on the level above it.
UNWRITTEN = "[unwritten]"
# What Airflow called it before.
_RENAMED = {"dummy": "always", "none_failed_or_skipped": "none_failed_min_one_success"}


def complain(
    error: ValidationError, model: type[BaseModel], fixes: Mapping[str, str] | None = None
) -> list[Complaint]:
    """Return every mistake in ``error``; ``fixes`` says what to do with known foreign keys."""
    found = [_complaint(detail, model, fixes or {}) for detail in error.errors()]
    return list(dict.fromkeys(found))


def _complaint(detail: ErrorDetails, model: type[BaseModel], fixes: Mapping[str, str]) -> Complaint:
    path = tuple(part for part in detail["loc"] if part not in ("[key]", UNWRITTEN))
    name = ".".join(str(part) for part in path)
    kind, value = detail["type"], detail["input"]
    if kind == "extra_forbidden":
        return Complaint(path, _unknown_key(path, model, fixes))
    if kind == "missing":
        return Complaint(path[:-1], f"'{path[-1]}' is missing: write it")
    if kind == "value_error":
        return Complaint(
            path, f"{name}: {detail['ctx']['error']}" if name else str(detail["ctx"]["error"])
        )
    if kind == "literal_error":
        return Complaint(path, _unknown_choice(name, value, _choices(path, model)))
    if kind in _KINDS:
        return Complaint(path, f"{name} has to be {_KINDS[kind]}, not {_shown(value)}")
    return Complaint(path, f"{name} is {_shown(value)}: {detail['msg'].lower()}")


def _unknown_key(path: Path, model: type[BaseModel], fixes: Mapping[str, str]) -> str:
    key = str(path[-1])
    if key in fixes:
        return f"unknown key '{key}': {fixes[key]}"
    owner = _owner(path[:-1], model)
    known = list(owner.model_fields) if owner else []
    hint = did_you_mean(key, known) or f" Known are {', '.join(known)}."
    return f"unknown key '{key}'.{hint}"


def _unknown_choice(name: str, value: object, choices: list[str]) -> str:
    meant = _RENAMED.get(str(value), str(value))
    hint = did_you_mean(meant, choices) or f" There are {', '.join(choices)}."
    label = name.rpartition(".")[2].replace("_", " ")
    return f"{label} '{value}' is none that leoflow knows.{hint}"


def _shown(value: object) -> str:
    if value is None:
        return "empty"
    return f"'{value}'" if isinstance(value, (str, int, float)) else type(value).__name__


def _owner(path: Path, model: type[BaseModel]) -> type[BaseModel] | None:
    found: Any = model
    for part in path:
        found = _step(found, part)
    models = [item for item in _parts(found) if _is_model(item)]
    return models[0] if models else None


def _choices(path: Path, model: type[BaseModel]) -> list[str]:
    found: Any = model
    for part in path:
        found = _step(found, part)
    literals = [item for item in _parts(found) if typing.get_origin(item) is typing.Literal]
    return [str(choice) for literal in literals for choice in typing.get_args(literal)]


def _step(annotation: Any, part: str | int) -> Any:
    for item in _parts(annotation):
        if _is_model(item) and part in item.model_fields:
            return item.model_fields[part].annotation
        arguments = typing.get_args(item)
        if arguments and typing.get_origin(item) is not typing.Literal:
            return arguments[-1] if arguments[-1] is not Ellipsis else arguments[0]
    return None


def _parts(annotation: Any) -> Iterator[Any]:
    """Yield what is inside of optional and annotated types."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        yield from _parts(typing.get_args(annotation)[0])
    elif origin in (typing.Union, types.UnionType):
        for item in typing.get_args(annotation):
            yield from _parts(item)
    else:
        yield annotation


def _is_model(item: Any) -> bool:
    return isinstance(item, type) and issubclass(item, BaseModel)
