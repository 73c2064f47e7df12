"""Writes agent/leoflow_agent/podshape.py out of Kubernetes' own schema of a Pod.

    python tests/podshapewriter.py

The schemas come with kubernetes-validate. Raise NEWEST when a newer one is to be known.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate

NEWEST = "1.37"
TARGET = Path(__file__).parents[1] / "agent" / "leoflow_agent" / "podshape.py"
ROOTS = ("Pod",)
# What only the API server writes.
LEFT_OUT = {"Pod": {"status"}, "ObjectMeta": {"managedFields"}}
_SCALARS = {"string": "s", "boolean": "b", "integer": "i", "number": "n"}
_LOOSE = {"Quantity": "q", "IntOrString": "q", "Time": "s"}
_HEAD = '''\
"""The shape of a Pod, as Kubernetes {version} has it: each type with its fields and what they hold.

Made by tests/podshapewriter.py out of Kubernetes' own schema, and checked against it.
s text, b true or false, i whole number, n number, q quantity: text or number, {{T}} mapping to T,
[T] list of T, [KEY|T] list whose items a strategic merge patch tells apart by KEY, [=|T] list to
which it adds; ! must be given.
"""

SHAPES = """
'''


def definitions(version: str) -> dict[str, Any]:
    """Return every definition of a version of Kubernetes, by its whole name."""
    folder = Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema"
    text = (folder / f"v{version}.0-local-strict" / "_definitions.json").read_text()
    found: dict[str, Any] = json.loads(text)
    return found.get("$defs") or found["definitions"]


def shapes(version: str) -> dict[str, dict[str, str]]:
    """Return the types that a Pod consists of: their fields, with the code of what they hold."""
    known = definitions(version)
    waiting = [f"io.k8s.api.core.v1.{name}" for name in ROOTS]
    found: dict[str, dict[str, str]] = {}
    while waiting:
        whole = waiting.pop()
        name = _short(whole)
        if name in found or name in _LOOSE:
            continue
        definition = known[whole]
        required = set(definition.get("required", ()))
        found[name] = {}
        for field, schema in definition["properties"].items():
            if field in LEFT_OUT.get(name, ()):
                continue
            waiting += _references(schema)
            found[name][field] = _code(schema) + ("!" if field in required else "")
    return dict(sorted(found.items()))


def _code(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = _short(schema["$ref"])
        return _LOOSE.get(name, name)
    types = schema.get("type", [])
    kind = next(one for one in ([types] if isinstance(types, str) else types) if one != "null")
    if kind == "array":
        inner = _code(schema["items"])
        if "merge" not in schema.get("x-kubernetes-patch-strategy", ""):
            return f"[{inner}]"
        return f"[{schema.get('x-kubernetes-patch-merge-key', '=')}|{inner}]"
    if kind == "object":
        return "{" + _code(schema["additionalProperties"]) + "}"
    return _SCALARS[kind]


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if "$ref" in schema:
            yield schema["$ref"].rpartition("/")[2]
        for value in schema.values():
            yield from _references(value)


def _short(name: str) -> str:
    return name.rpartition(".")[2]


def render(version: str) -> str:
    """Return the text of the module."""
    text = _HEAD.format(version=version)
    for name, fields in shapes(version).items():
        words = " ".join([name, *(f"{field}:{code}" for field, code in fields.items())])
        text += textwrap.fill(words, 100, subsequent_indent=" ", break_long_words=False) + "\n"
    return text + '"""\n'


if __name__ == "__main__":
    TARGET.write_text(render(NEWEST), encoding="utf-8")
