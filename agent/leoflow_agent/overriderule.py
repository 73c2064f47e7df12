"""What a pod_override may not change: a Pod without it would not be a try. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from leoflow_agent.podname import (
    AGENT_CONTAINER,
    OWN_VARIABLES,
    OWN_VOLUMES,
    TASK_CONTAINER,
    bad_mount,
    is_own_label,
)
from leoflow_agent.shapecheck import DIRECTIVE, Flaw, Path

_TOP = ("metadata", "spec")
_METADATA = ("labels", "annotations", "finalizers", "ownerReferences")
_SPEC = {
    "restartPolicy": "a try runs once; write 'retries' for the task",
    "ephemeralContainers": "Kubernetes takes them for Pods that run only",
    "automountServiceAccountToken": "write 'automount_service_account_token'",
}
_TASK = {
    "command": "the agent has to be the first process",
    "args": "the agent has to be the first process",
    "image": "a task runs in the image that `leoflow build` makes",
    "terminationMessagePath": "the agent leaves its verdict there",
    "terminationMessagePolicy": "the agent leaves its verdict there",
    "restartPolicy": "a try runs once; write 'retries' for the task",
}
_SIDECAR = (
    "a container beside the task's would keep the Pod from ending: write it under initContainers "
    "with restartPolicy: Always, then it ends with the task"
)
_AIRFLOWS = f"the container that Airflow calls so is '{TASK_CONTAINER}' here"
_WHOLE = "leoflow needs what is in it: name what is to change"


def check_override(path: Path, patch: Mapping[str, Any]) -> Iterator[Flaw]:
    """Say all that ``patch``, which has the shape of a Pod, may not do."""
    yield from _check_whole(patch, path)
    for name in patch:
        if name not in (*_TOP, DIRECTIVE):
            yield Flaw((*path, name), f"'{name}' is leoflow's own: write metadata or spec")
    yield from _check_metadata(patch.get("metadata", {}), (*path, "metadata"))
    yield from _check_spec(patch.get("spec", {}), (*path, "spec"))


def _check_spec(spec: Any, path: Path) -> Iterator[Flaw]:
    yield from _check_whole(spec, path)
    spec = spec or {}
    for name in spec:
        if name in _SPEC:
            yield Flaw((*path, name), f"'{name}' cannot be changed: {_SPEC[name]}")
    for name in ("containers", "initContainers", "volumes"):
        yield from _check_list(spec, name, path)
    for place, one in _items(spec, "containers"):
        yield from _check_container(one, (*path, "containers", place))
    for place, one in _items(spec, "initContainers"):
        if one.get("name") in (AGENT_CONTAINER, TASK_CONTAINER):
            yield Flaw((*path, "initContainers", place), f"'{one['name']}' is leoflow's own")
    for place, one in _items(spec, "volumes"):
        if str(one.get("name")).startswith(OWN_VOLUMES):
            text = f"volume '{one['name']}' is leoflow's own and cannot be changed"
            yield Flaw((*path, "volumes", place), text)


def _check_metadata(metadata: Any, path: Path) -> Iterator[Flaw]:
    yield from _check_whole(metadata, path)
    for name, value in (metadata or {}).items():
        if name not in (*_METADATA, DIRECTIVE):
            yield Flaw((*path, name), f"'{name}' is leoflow's own: it finds its Pods by it")
        elif name in ("labels", "annotations"):
            yield from _check_whole(value, (*path, name))
            for key in value or ():
                if is_own_label(key):
                    yield Flaw((*path, name, key), f"'{key}' is leoflow's own")


def _check_container(container: Mapping[str, Any], path: Path) -> Iterator[Flaw]:
    name = container.get("name")
    if name != TASK_CONTAINER:
        yield Flaw(path, f"'{name}': {_AIRFLOWS if name == 'base' else _SIDECAR}")
        return
    yield from _check_whole(container, path)
    for name in container:
        if name in _TASK:
            yield Flaw((*path, name), f"'{name}' cannot be changed: {_TASK[name]}")
    yield from _check_list(container, "env", path)
    for place, one in _items(container, "env"):
        if str(one.get("name")).startswith(OWN_VARIABLES):
            text = f"names with {OWN_VARIABLES} are leoflow's own"
            yield Flaw((*path, "env", place), text)
    yield from _check_list(container, "volumeMounts", path)
    for place, one in _items(container, "volumeMounts"):
        message = bad_mount(str(one.get("name", "")), str(one.get("mountPath", "")))
        if message is not None:
            yield Flaw((*path, "volumeMounts", place), message)


def _check_whole(value: Any, path: Path) -> Iterator[Flaw]:
    """Say that a thing may not be replaced or taken away."""
    if value is None or (isinstance(value, Mapping) and DIRECTIVE in value):
        yield Flaw(path, f"'{path[-1]}' cannot be replaced or removed: {_WHOLE}")


def _check_list(owner: Mapping[str, Any], name: str, path: Path) -> Iterator[Flaw]:
    value = owner.get(name, ())
    if value is None or any(item == {DIRECTIVE: "replace"} for item in value):
        yield Flaw((*path, name), f"'{name}' cannot be replaced or removed: {_WHOLE}")


def _items(owner: Mapping[str, Any], name: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for place, item in enumerate(owner.get(name) or ()):
        if isinstance(item, Mapping) and item != {DIRECTIVE: "replace"}:
            yield place, item
