"""What a task may say of its Pod, and what only leoflow may. Pure, standard library only.

The builder asks for what people write, the control plane for what is pushed; never in a task's
container.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

from leoflow_agent.overriderule import check_override
from leoflow_agent.podname import (
    OWN_VARIABLES,
    OWN_VOLUMES,
    bad_dns_label,
    bad_dns_name,
    bad_label_key,
    bad_label_value,
    bad_mount,
    is_own_label,
)
from leoflow_agent.podoption import PodOptions
from leoflow_agent.shapecheck import Flaw, Path, check_shape, guess, shapes, unknown_key

# What each option holds, in the codes of podshape.
_CODES = {
    "node_selector": "{s}",
    "tolerations": "[Toleration]",
    "affinity": "Affinity",
    "topology_spread_constraints": "[TopologySpreadConstraint]",
    "priority_class_name": "s",
    "runtime_class_name": "s",
    "scheduler_name": "s",
    "service_account_name": "s",
    "automount_service_account_token": "b",
    "image_pull_secrets": "[s]",
    "image_pull_policy": "s",
    "env": "[EnvVar]",
    "env_from": "[EnvFromSource]",
    "volumes": "[Volume]",
    "volume_mounts": "[VolumeMount]",
    "labels": "{s}",
    "annotations": "{s}",
    "security_context": "SecurityContext",
    "pod_security_context": "PodSecurityContext",
    "pod_override": "Pod",
}
OPTIONS = tuple(field.name for field in fields(PodOptions))
_POLICIES = ("Always", "IfNotPresent", "Never")
# Of all annotations of an object together: validation.TotalAnnotationSizeLimitB.
_MOST_ANNOTATIONS_BYTES = 256 * 1024
_FOREIGN = {
    "resources": "write it beside 'kubernetes', as for every executor",
    "requests": "write 'resources' beside 'kubernetes', as for every executor",
    "limits": "write 'resources' beside 'kubernetes', as for every executor",
    "namespace": "it is the control plane's: LEOFLOW_KUBERNETES_NAMESPACE",
    "image": "every task runs in the image that `leoflow build` makes",
    "restart_policy": "a try runs once; write 'retries' beside 'kubernetes'",
    "active_deadline_seconds": "write 'execution_timeout_seconds' beside 'kubernetes'",
}


def check_options(said: Mapping[str, Any]) -> Iterator[Flaw]:
    """Say all that is wrong with what was said of a Pod, under the names of PodOptions' fields.

    What is None was said to be nothing.
    """
    for name, value in said.items():
        if name not in OPTIONS:
            yield Flaw((name,), _unknown(str(name)))
        elif value is not None:
            flaws = list(check_shape(value, _CODES[name], (name,), patch=name == "pod_override"))
            yield from flaws or _CHECKS.get(name, _check_nothing)((name,), value)


def check_together(said: Mapping[str, Any]) -> Iterator[Flaw]:
    """Say what options that are right one by one cannot mean together."""
    volumes = [one["name"] for one in said.get("volumes") or ()]
    yield from _twice("volumes", volumes)
    mounts = said.get("volume_mounts") or ()
    yield from _twice("volume_mounts", [one["mountPath"] for one in mounts])
    yield from _twice("env", [one["name"] for one in said.get("env") or ()])
    override = (said.get("pod_override") or {}).get("spec") or {}
    known = {*volumes, *(one["name"] for one in override.get("volumes") or () if "name" in one)}
    for place, mount in enumerate(mounts):
        if mount["name"] not in known:
            text = f"there is no volume '{mount['name']}': add it to 'volumes'"
            yield Flaw(("volume_mounts", place), text)


def _unknown(name: str) -> str:
    """Say where an option that there is not can be said."""
    hint = _FOREIGN.get(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower())
    if hint is None and not guess(name, OPTIONS):
        if name in shapes()["PodSpec"]:
            hint = f"write pod_override: {{spec: {{{name}: …}}}}"
        elif name in shapes()["Container"]:
            hint = f"write pod_override: {{spec: {{containers: [{{name: task, {name}: …}}]}}}}"
    return unknown_key(name, OPTIONS) if hint is None else f"unknown key '{name}': {hint}"


def _twice(option: str, names: Sequence[str]) -> Iterator[Flaw]:
    for place, name in enumerate(names):
        if name in names[:place]:
            yield Flaw((option, place), f"'{name}' is there twice: remove one")


def _check_name(path: Path, name: str) -> Iterator[Flaw]:
    yield from _flaw(path, bad_dns_name(name))


def _check_names(path: Path, names: Sequence[str]) -> Iterator[Flaw]:
    for place, name in enumerate(names):
        yield from _check_name((*path, place), name)


def _check_policy(path: Path, policy: str) -> Iterator[Flaw]:
    if policy not in _POLICIES:
        hint = guess(policy, _POLICIES) or f" There are {', '.join(_POLICIES)}."
        yield Flaw(path, f"'{policy}' is none that Kubernetes knows.{hint}")


def _check_labels(path: Path, labels: Mapping[str, str]) -> Iterator[Flaw]:
    for key, value in labels.items():
        yield from _flaw((*path, key), bad_label_key(key) or bad_label_value(value))
        if path[0] == "labels":
            yield from _flaw((*path, key), _reserved(key))


def _check_annotations(path: Path, annotations: Mapping[str, str]) -> Iterator[Flaw]:
    for key in annotations:
        yield from _flaw((*path, key), bad_label_key(key.lower()) or _reserved(key))
    size = sum(len(key) + len(value.encode()) for key, value in annotations.items())
    if size > _MOST_ANNOTATIONS_BYTES:
        yield Flaw(path, f"are {size // 1024} KiB together, and Kubernetes takes 256 KiB")


def _reserved(key: str) -> str | None:
    if is_own_label(key):
        return f"'{key}' is leoflow's own: choose another name"
    return None


def _check_env(path: Path, variables: list[dict[str, Any]]) -> Iterator[Flaw]:
    for place, one in enumerate(variables):
        where = (*path, place)
        if one["name"].startswith(OWN_VARIABLES):
            yield Flaw(where, f"names with {OWN_VARIABLES} are leoflow's own: choose another one")
        elif not re.fullmatch(r"[A-Za-z_.\-][A-Za-z0-9_.\-]*", one["name"]):
            yield Flaw(where, f"'{one['name']}' cannot be the name of an environment variable")
        if ("value" in one) == ("valueFrom" in one):
            yield Flaw(where, f"'{one['name']}' has to have either 'value' or 'valueFrom'")


def _check_env_from(path: Path, sources: list[dict[str, Any]]) -> Iterator[Flaw]:
    for place, one in enumerate(sources):
        if ("secretRef" in one) == ("configMapRef" in one):
            yield Flaw((*path, place), "has to have either 'secretRef' or 'configMapRef'")
        if str(one.get("prefix", "")).startswith(OWN_VARIABLES):
            text = f"names with {OWN_VARIABLES} are leoflow's own: choose another prefix"
            yield Flaw((*path, place), text)


def _check_volumes(path: Path, volumes: list[dict[str, Any]]) -> Iterator[Flaw]:
    for place, one in enumerate(volumes):
        yield from _flaw((*path, place), bad_dns_label(one["name"]))
        if one["name"].startswith(OWN_VOLUMES):
            text = f"names with {OWN_VOLUMES} are leoflow's own: choose another one"
            yield Flaw((*path, place), text)
        sources = sorted(set(one) - {"name"})
        if len(sources) > 1:
            text = f"volume '{one['name']}' has {' and '.join(sources)}: keep one of them"
            yield Flaw((*path, place), text)
        elif not sources:
            text = f"volume '{one['name']}' does not say what it is: add emptyDir, secret, …"
            yield Flaw((*path, place), text)


def _check_mounts(path: Path, mounts: list[dict[str, Any]]) -> Iterator[Flaw]:
    for place, one in enumerate(mounts):
        yield from _flaw((*path, place), bad_mount(one["name"], one["mountPath"]))


def _flaw(path: Path, message: str | None) -> Iterator[Flaw]:
    if message is not None:
        yield Flaw(path, message)


def _check_nothing(_path: Path, _value: Any) -> Iterator[Flaw]:
    yield from ()


_CHECKS: Mapping[str, Callable[[Path, Any], Iterator[Flaw]]] = {
    "node_selector": _check_labels,
    "priority_class_name": _check_name,
    "runtime_class_name": _check_name,
    "scheduler_name": _check_name,
    "service_account_name": _check_name,
    "image_pull_secrets": _check_names,
    "image_pull_policy": _check_policy,
    "env": _check_env,
    "env_from": _check_env_from,
    "volumes": _check_volumes,
    "volume_mounts": _check_mounts,
    "labels": _check_labels,
    "annotations": _check_annotations,
    "pod_override": check_override,
}
