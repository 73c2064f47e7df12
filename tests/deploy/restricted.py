"""The restricted Pod Security Standard, as far as a Pod can break it. Pure; for tests.

https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_VOLUMES = {
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "image",
    "persistentVolumeClaim",
    "projected",
    "secret",
}
_HOST_KEYS = ("hostNetwork", "hostPID", "hostIPC")


def breaches(spec: Mapping[str, Any]) -> list[str]:
    """List what in a PodSpec the standard forbids; nothing if it passes."""
    return [*_of_pod(spec), *(one for kind in _containers(spec) for one in _of_container(*kind))]


def _containers(spec: Mapping[str, Any]) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    for kind in ("initContainers", "containers", "ephemeralContainers"):
        for container in spec.get(kind) or ():
            yield container, spec.get("securityContext") or {}


def _of_pod(spec: Mapping[str, Any]) -> Iterator[str]:
    for key in _HOST_KEYS:
        if spec.get(key):
            yield f"{key} is true"
    for volume in spec.get("volumes") or ():
        kinds = set(volume) - {"name"}
        if not kinds <= _VOLUMES:
            yield f"volume '{volume['name']}' is a {', '.join(sorted(kinds - _VOLUMES))}"
    if (spec.get("securityContext") or {}).get("sysctls"):
        yield "sysctls are set"


def _of_container(container: Mapping[str, Any], pod: Mapping[str, Any]) -> Iterator[str]:
    name, own = container["name"], container.get("securityContext") or {}
    both = {**pod, **own}
    if both.get("runAsNonRoot") is not True:
        yield f"{name}: runAsNonRoot is not true"
    if both.get("runAsUser") == 0:
        yield f"{name}: runAsUser is 0"
    if (both.get("seccompProfile") or {}).get("type") not in ("RuntimeDefault", "Localhost"):
        yield f"{name}: seccompProfile is neither RuntimeDefault nor Localhost"
    if own.get("allowPrivilegeEscalation") is not False:
        yield f"{name}: allowPrivilegeEscalation is not false"
    if own.get("privileged"):
        yield f"{name}: privileged is true"
    capabilities = own.get("capabilities") or {}
    if "ALL" not in (capabilities.get("drop") or ()):
        yield f"{name}: capabilities are not all dropped"
    if set(capabilities.get("add") or ()) - {"NET_BIND_SERVICE"}:
        yield f"{name}: capabilities are added"
    if any(port.get("hostPort") for port in container.get("ports") or ()):
        yield f"{name}: a hostPort is taken"
