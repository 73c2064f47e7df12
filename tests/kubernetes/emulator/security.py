"""The Pod Security Standard "restricted", with the words of the admission plugin. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Spec = dict[str, Any]

_VOLUMES = {
    *("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim"),
    *("projected", "secret", "image"),
}


def violations(spec: Spec) -> list[str]:
    """Say what of a Pod's spec the standard forbids, in the plugin's order."""
    pod, containers = spec.get("securityContext") or {}, _containers(spec)
    first, *rest = ((name, _bad(containers, pod, is_bad, must)) for name, is_bad, must in _RULES)
    host, volumes = ("host namespaces", _host(spec)), ("restricted volume types", _volumes(spec))
    checks = (host, first, volumes, *rest)
    return [f"{name} ({words})" for name, words in checks if words]


def _capabilities(own: Spec, _: Spec) -> bool:
    found = own.get("capabilities") or {}
    return found.get("drop") != ["ALL"] or bool(set(found.get("add") or ()) - {"NET_BIND_SERVICE"})


def _seccomp(own: Spec, pod: Spec) -> bool:
    profile = own.get("seccompProfile") or pod.get("seccompProfile") or {}
    return profile.get("type") not in ("RuntimeDefault", "Localhost")


# What a container's security context, or the Pod's where it says nothing, breaks.
_RULES: tuple[tuple[str, Callable[[Spec, Spec], Any], str], ...] = (
    ("privileged", lambda own, _: own.get("privileged"), "privileged=true"),
    (
        "allowPrivilegeEscalation != false",
        lambda own, _: own.get("allowPrivilegeEscalation") is not False,
        "securityContext.allowPrivilegeEscalation=false",
    ),
    (
        "unrestricted capabilities",
        _capabilities,
        'securityContext.capabilities.drop=["ALL"]',
    ),
    (
        "runAsNonRoot != true",
        lambda own, pod: own.get("runAsNonRoot", pod.get("runAsNonRoot")) is not True,
        "securityContext.runAsNonRoot=true",
    ),
    (
        "runAsUser=0",
        lambda own, pod: own.get("runAsUser", pod.get("runAsUser")) == 0,
        "runAsUser to a non-zero value",
    ),
    (
        "seccompProfile",
        _seccomp,
        'securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"',
    ),
)


def _containers(spec: Spec) -> list[Spec]:
    return [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]


def _bad(containers: list[Spec], pod: Spec, is_bad: Callable[[Spec, Spec], Any], must: str) -> str:
    named = [
        f'"{c.get("name")}"' for c in containers if is_bad(c.get("securityContext") or {}, pod)
    ]
    if not named:
        return ""
    word = "containers" if len(named) > 1 else "container"
    return f"{word} {', '.join(named)} must set {must}"


def _host(spec: Spec) -> str:
    return ", ".join(
        f"{name}=true" for name in ("hostNetwork", "hostPID", "hostIPC") if spec.get(name)
    )


def _volumes(spec: Spec) -> str:
    found = [
        f'volume "{volume.get("name")}" uses restricted volume type "{kind}"'
        for volume in spec.get("volumes") or ()
        for kind in set(volume) - {"name"} - _VOLUMES
    ]
    return ", ".join(found)
