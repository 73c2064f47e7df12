"""A strategic merge patch over a Pod, as the API server applies one. Pure.

Source of the rules: the API conventions ("Strategic Merge Patch") and the patchStrategy and
patchMergeKey tags of k8s.io/api/core/v1/types.go.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

# Lists of objects that are merged item by item, with the field that tells the items apart. All
# other lists are replaced whole, as the API server does.
_MERGE_KEYS = {
    "spec.containers": "name",
    "spec.initContainers": "name",
    "spec.ephemeralContainers": "name",
    "spec.volumes": "name",
    "spec.imagePullSecrets": "name",
    "spec.hostAliases": "ip",
    "spec.topologySpreadConstraints": "topologyKey",
    "spec.resourceClaims": "name",
    "spec.schedulingGates": "name",
    "metadata.ownerReferences": "uid",
    "env": "name",
    "ports": "containerPort",
    "volumeMounts": "mountPath",
    "volumeDevices": "devicePath",
}
# Lists of plain values that are merged.
_MERGED_SETS = frozenset({"metadata.finalizers"})
_CONTAINERS = ("spec.containers", "spec.initContainers", "spec.ephemeralContainers")
_DIRECTIVE = "$patch"


class OverrideInvalid(ValueError):
    """A patch that no object can be patched with; the text says where and why."""


def apply_override(pod: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """Give ``pod`` with ``patch`` merged into it; neither is changed. Raises OverrideInvalid."""
    return _merge_map(pod, patch, "")


def _merge_map(base: Mapping[str, Any], patch: Mapping[str, Any], path: str) -> dict[str, Any]:
    directive = patch.get(_DIRECTIVE)
    said = {name: value for name, value in patch.items() if name != _DIRECTIVE}
    if directive == "replace":
        return _plain(said, path)
    if directive not in (None, "merge"):
        raise OverrideInvalid(f"'{_DIRECTIVE}: {directive}' at {path or 'the top'} is unknown here")
    merged = copy.deepcopy(dict(base))
    for name, value in said.items():
        where = f"{path}.{name}" if path else name
        if name.startswith("$"):
            raise OverrideInvalid(
                f"'{name}' at {path or 'the top'} is not supported; leoflow knows '$patch'"
            )
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, Mapping):
            merged_value = _merge_value(merged.get(name), value, where)
            if merged_value is None:
                merged.pop(name, None)
            else:
                merged[name] = merged_value
        elif isinstance(value, list):
            merged[name] = _merge_list(merged.get(name) or [], value, where)
        else:
            merged[name] = value
    return merged


def _merge_value(base: Any, patch: Mapping[str, Any], path: str) -> dict[str, Any] | None:
    if patch.get(_DIRECTIVE) == "delete":
        return None
    return _merge_map(base if isinstance(base, Mapping) else {}, patch, path)


def _merge_list(base: Sequence[Any], patch: Sequence[Any], path: str) -> list[Any]:
    key = _merge_key(path)
    if path in _MERGED_SETS:
        return [*base, *(item for item in patch if item not in base)]
    if key is None:
        return [_plain(item, path) if isinstance(item, Mapping) else item for item in patch]
    if any(item == {_DIRECTIVE: "replace"} for item in patch):
        return _merge_list([], [one for one in patch if one != {_DIRECTIVE: "replace"}], path)
    merged = copy.deepcopy(list(base))
    for item in patch:
        if not isinstance(item, Mapping) or key not in item:
            raise OverrideInvalid(
                f"an item of {path} has no '{key}', which says which one is meant"
            )
        _merge_item(merged, item, key, path)
    return merged


def _merge_item(merged: list[Any], item: Mapping[str, Any], key: str, path: str) -> None:
    found = [place for place, one in enumerate(merged) if one.get(key) == item[key]]
    if item.get(_DIRECTIVE) == "delete":
        merged[:] = [one for one in merged if one.get(key) != item[key]]
    elif found:
        merged[found[0]] = _merge_map(merged[found[0]], item, path)
    else:
        merged.append(_merge_map({}, item, path))


def _merge_key(path: str) -> str | None:
    for containers in _CONTAINERS:
        if path.startswith(f"{containers}."):
            return _MERGE_KEYS.get(path[len(containers) + 1 :])
    return _MERGE_KEYS.get(path) if "." in path else None


def _plain(value: Mapping[str, Any], path: str) -> dict[str, Any]:
    """Take a value that takes another's place: nulls and directives mean nothing in it."""
    return _merge_map({}, {n: v for n, v in value.items() if n != _DIRECTIVE}, path)
