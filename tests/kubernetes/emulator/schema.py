"""Which fields the API knows, from the OpenAPI schemas that the package kubernetes-validate brings.

Walks them itself: that package's own check takes half a second and does not name fields as the
server does. A field is checked for its name and the type of its value, not for what it may say.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from importlib import resources
from typing import Any

from emulator.refusal import bad_request
from emulator.resource import Resource

VERSION = "1.37.0"

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}
_GO = {str: "string", int: "number", float: "number", bool: "bool", list: "array", dict: "object"}


def check_fields(resource: Resource, item: dict[str, Any], *, strict: bool) -> None:
    """Refuse an object with a value of a wrong type and, if ``strict``, with an unknown field."""
    unknown = []
    for path, wrong in _walk(item, _definition(resource), ""):
        if wrong is not None:
            raise bad_request(f"{_cannot(resource)}: {wrong}")
        unknown.append(f'unknown field "{path}"')
    if strict and unknown:
        raise bad_request(f"{_cannot(resource)}: strict decoding error: {', '.join(unknown)}")


def _cannot(resource: Resource) -> str:
    return f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}'


@cache
def _definitions() -> dict[str, Any]:
    folder = resources.files("kubernetes_validate") / "kubernetes-json-schema"
    text = (folder / f"v{VERSION}-local" / "_definitions.json").read_text()
    return dict(json.loads(text)["$defs"])


@cache
def _named(kind: str, version: str, group: str) -> str:
    ending = f".{group.split('.')[0] or 'core'}.{version}.{kind}"
    return next(name for name in _definitions() if name.endswith(ending))


def _definition(resource: Resource) -> dict[str, Any]:
    name = _named(resource.kind, resource.version, resource.group)
    return dict(_definitions()[name])


def _walk(value: Any, schema: dict[str, Any], path: str) -> Iterator[tuple[str, str | None]]:
    """Give each unknown field, and each value of a wrong type with the words for it."""
    if "$ref" in schema:
        schema = _definitions()[schema["$ref"].rpartition("/")[2]]
    if value is None or not _fits(value, schema):
        if value is not None:
            yield path, _wrong(value, schema, path)
        return
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from _walk(item, schema.get("items", {}), f"{path}[{number}]")
    if isinstance(value, dict):
        yield from _walk_object(value, schema, path)


def _walk_object(
    value: dict[str, Any], schema: dict[str, Any], path: str
) -> Iterator[tuple[str, str | None]]:
    known, others = schema.get("properties"), schema.get("additionalProperties")
    for name, item in value.items():
        below = f"{path}.{name}" if path else name
        if known and name in known:
            yield from _walk(item, known[name], below)
        elif isinstance(others, dict):
            yield from _walk(item, others, below)
        elif known is not None:
            yield below, None


def _types(schema: dict[str, Any]) -> set[str]:
    found: set[str] = set()
    for part in (schema, *schema.get("oneOf", ())):
        named = part.get("type", ())
        found.update([named] if isinstance(named, str) else named)
    return found - {"null"}


def _fits(value: Any, schema: dict[str, Any]) -> bool:
    wanted = _types(schema)
    if isinstance(value, bool):
        return not wanted or "boolean" in wanted
    return not wanted or any(isinstance(value, _TYPES[name]) for name in wanted)


def _wrong(value: Any, schema: dict[str, Any], path: str) -> str:
    wanted = " or ".join(sorted(_types(schema)))
    return f"json: cannot unmarshal {_GO[type(value)]} into Go struct field {path} of type {wanted}"
