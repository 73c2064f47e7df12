"""Says where a value is not what Kubernetes' schema of a Pod lets it be. Pure.

Used by the builder and by the control plane, never in a task's container.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

from leoflow_agent.podshape import SHAPES

Path = tuple[Any, ...]
DIRECTIVE = "$patch"

_KINDS: Mapping[str, tuple[tuple[type, ...], str]] = {
    "s": ((str,), "text: write it in quotes"),
    "b": ((bool,), "true or false"),
    "i": ((int,), "a whole number"),
    "n": ((int, float), "a number"),
    "q": ((str, int, float), "a quantity, such as 1Gi or 5"),
}
_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
# Fields that are text to the schema, and one of these to the API server.
_CHOICES = {
    "Toleration.operator": ("Exists", "Equal", "Lt", "Gt"),
    "Toleration.effect": _EFFECTS,
    "TopologySpreadConstraint.whenUnsatisfiable": ("DoNotSchedule", "ScheduleAnyway"),
    "TopologySpreadConstraint.nodeAffinityPolicy": ("Honor", "Ignore"),
    "TopologySpreadConstraint.nodeTaintsPolicy": ("Honor", "Ignore"),
    "NodeSelectorRequirement.operator": ("In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"),
    "LabelSelectorRequirement.operator": ("In", "NotIn", "Exists", "DoesNotExist"),
    "SeccompProfile.type": ("RuntimeDefault", "Localhost", "Unconfined"),
    "EmptyDirVolumeSource.medium": ("", "Memory", "HugePages"),
    "PodSecurityContext.fsGroupChangePolicy": ("OnRootMismatch", "Always"),
}


class Flaw(NamedTuple):
    """One mistake; ``path`` leads to it from the value that was checked."""

    path: Path
    message: str


class Field(NamedTuple):
    """What a field holds: ``kind`` is a code of `podshape` without brackets, ``many`` the bracket
    around it or nothing, ``key`` what tells the items of a list apart."""

    kind: str
    many: str = ""
    key: str = ""
    required: bool = False


@cache
def shapes() -> Mapping[str, Mapping[str, Field]]:
    """Return the types that a Pod consists of."""
    found: dict[str, dict[str, Field]] = {}
    for line in SHAPES.replace("\n ", " ").strip().splitlines():
        name, *fields = line.split()
        pairs = (field.partition(":") for field in fields)
        found[name] = {field: read_field(code) for field, _, code in pairs}
    return found


def read_field(code: str) -> Field:
    """Read the code of what a field holds."""
    required = code.endswith("!")
    code = code.rstrip("!")
    if code[0] not in "[{":
        return Field(code, required=required)
    key, _, kind = code[1:-1].rpartition("|")
    return Field(kind, code[0], key, required)


def check_shape(value: Any, code: str, path: Path = (), *, patch: bool = False) -> Iterator[Flaw]:
    """Say where ``value`` is not what ``code`` says, every mistake of it.

    In a ``patch`` nothing is required, null takes a thing away, and there may be directives.
    """
    yield from _check(value, read_field(code), path, "", patch)


def _check(value: Any, field: Field, path: Path, owner: str, patch: bool) -> Iterator[Flaw]:
    if value is None and patch:
        return
    if field.many == "[":
        yield from _check_list(value, field, path, patch)
    elif field.many == "{":
        yield from _check_mapping(value, field, path, patch)
    elif field.kind in _KINDS:
        yield from _check_scalar(value, field.kind, path, owner)
    elif not isinstance(value, dict):
        yield Flaw(path, f"has to be a mapping ({field.kind}), not {_shown(value)}")
    else:
        yield from _check_object(value, field.kind, path, patch)


def _check_list(value: Any, field: Field, path: Path, patch: bool) -> Iterator[Flaw]:
    if not isinstance(value, list | tuple):
        yield Flaw(path, f"has to be a list, not {_shown(value)}")
        return
    for place, item in enumerate(value):
        if patch and item == {DIRECTIVE: "replace"}:
            continue
        yield from _check(item, Field(field.kind), (*path, place), "", patch)
        if field.key not in ("", "=") and isinstance(item, dict) and field.key not in item:
            yield Flaw((*path, place), f"'{field.key}' is missing: write it")


def _check_mapping(value: Any, field: Field, path: Path, patch: bool) -> Iterator[Flaw]:
    if not isinstance(value, dict):
        yield Flaw(path, f"has to be a mapping of names to values, not {_shown(value)}")
        return
    for name, item in value.items():
        if not (patch and name == DIRECTIVE):
            yield from _check(item, Field(field.kind), (*path, name), "", patch)


def _check_scalar(value: Any, kind: str, path: Path, owner: str) -> Iterator[Flaw]:
    wanted, words = _KINDS[kind]
    if not isinstance(value, wanted) or (isinstance(value, bool) and kind != "b"):
        yield Flaw(path, f"has to be {words}, not {_shown(value)}")
        return
    choices = _CHOICES.get(f"{owner}.{path[-1]}" if path else "", ())
    if choices and value not in choices:
        hint = guess(str(value), choices) or f" There are {', '.join(filter(None, choices))}."
        yield Flaw(path, f"'{value}' is none that Kubernetes knows.{hint}")


def _check_object(value: dict[str, Any], kind: str, path: Path, patch: bool) -> Iterator[Flaw]:
    fields = shapes()[kind]
    if patch:
        value = {name: item for name, item in value.items() if name != DIRECTIVE}
    for name, item in value.items():
        if name not in fields:
            yield Flaw((*path, name), unknown_key(name, fields))
        else:
            yield from _check(item, fields[name], (*path, name), kind, patch)
    for name, field in fields.items():
        if field.required and name not in value and not patch:
            yield Flaw(path, f"'{name}' is missing: write it")


def unknown_key(name: str, known: Iterable[str]) -> str:
    """Say that a key is unknown, and which one was meant."""
    hint = guess(name, known) or f" Known are {', '.join(known)}."
    return f"unknown key '{name}'.{hint}"


def guess(name: str, known: Iterable[str]) -> str:
    """Return " Did you mean '…'?" if one of ``known`` is close to ``name``, however it is spelt."""
    import difflib

    bare = {re.sub(r"[_\-]", "", one).lower(): one for one in known}
    close = difflib.get_close_matches(re.sub(r"[_\-]", "", str(name)).lower(), bare, n=1)
    return f" Did you mean '{bare[close[0]]}'?" if close else ""


def _shown(value: Any) -> str:
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"'{value}'" if isinstance(value, str | int | float) else type(value).__name__
