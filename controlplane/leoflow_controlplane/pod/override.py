"""A strategic merge patch over a Pod or a part of one, as the API server applies it. Pure.

Source of the rules: the API conventions ("Strategic Merge Patch"). Which lists are merged, and by
which field, is in Kubernetes' own schema: `leoflow_agent.podshape`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from leoflow_agent.shapecheck import DIRECTIVE, Field, shapes

# The kind of what the schema has no type for, such as a mapping of labels.
_PLAIN: Mapping[str, Field] = {}
_REPLACE = {DIRECTIVE: "replace"}


class OverrideInvalid(ValueError):
    """A patch that nothing can be patched with; the text says where and why."""


def apply_override(
    base: Mapping[str, Any], patch: Mapping[str, Any], kind: str = "Pod"
) -> dict[str, Any]:
    """Give ``base`` with ``patch`` merged into it; neither is changed, and what is not patched is
    shared with them.

    ``kind`` is the type of both by its name in Kubernetes' schema. Raises OverrideInvalid.
    """
    return _merge(base, patch, shapes()[kind], kind)


def _merge(
    base: Mapping[str, Any], patch: Mapping[str, Any], fields: Mapping[str, Field], where: str
) -> dict[str, Any]:
    merged = dict(base)
    directive = patch.get(DIRECTIVE, "merge")
    if directive == "replace":
        merged = {}
    elif directive != "merge":
        raise OverrideInvalid(f"'{DIRECTIVE}: {directive}' at {where} is unknown here")
    for name, value in patch.items():
        if name == DIRECTIVE:
            continue
        made = _merge_field(merged.get(name), value, fields.get(name), f"{where}.{name}")
        if made is None:
            merged.pop(name, None)
        else:
            merged[name] = made
    return merged


def _merge_field(base: Any, patch: Any, field: Field | None, where: str) -> Any:
    """Return what a field holds then; None if it is to be gone."""
    if isinstance(patch, Mapping):
        if patch.get(DIRECTIVE) == "delete":
            return None
        below = base if isinstance(base, Mapping) else {}
        return _merge(below, patch, _fields_of(field), where)
    if isinstance(patch, list | tuple):
        return _merge_list(base or [], patch, field, where)
    return patch


def _merge_list(
    base: Sequence[Any], patch: Sequence[Any], field: Field | None, where: str
) -> list[Any]:
    key = field.key if field is not None else ""
    if key == "=":
        return [*base, *(item for item in patch if item not in base)]
    if not key:
        return list(patch)
    merged = [] if _REPLACE in patch else list(base)
    for item in patch:
        if item == _REPLACE:
            continue
        if not isinstance(item, Mapping) or key not in item:
            raise OverrideInvalid(f"an item of {where} has no '{key}' to say which one is meant")
        _merge_item(merged, item, key, _fields_of(field), where)
    return merged


def _merge_item(
    merged: list[Any], item: Mapping[str, Any], key: str, fields: Mapping[str, Field], where: str
) -> None:
    if item.get(DIRECTIVE) == "delete":
        merged[:] = [one for one in merged if one.get(key) != item[key]]
        return
    for place, one in enumerate(merged):
        if one.get(key) == item[key]:
            merged[place] = _merge(one, item, fields, where)
            return
    merged.append(_merge({}, item, fields, where))


def _fields_of(field: Field | None) -> Mapping[str, Field]:
    return _PLAIN if field is None or field.many == "{" else shapes().get(field.kind, _PLAIN)
