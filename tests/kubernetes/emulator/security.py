"""The Pod Security Standard "restricted", with the words of the admission plugin. Pure."""

from __future__ import annotations

from typing import Any

Spec = dict[str, Any]

_VOLUMES = {
    *("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim"),
    *("projected", "secret", "image"),
}


def violations(spec: Spec) -> list[str]:
    """Say what of a Pod's spec the standard forbids, in the plugin's order."""
    pod, containers = spec.get("securityContext") or {}, _containers(spec)
    checks = (
        ("host namespaces", _host(spec)),
        ("privileged", _bad(containers, lambda c: c.get("privileged"), "privileged=true")),
        ("restricted volume types", _volumes(spec)),
        (
            "allowPrivilegeEscalation != false",
            _bad(
                containers,
                lambda c: c.get("allowPrivilegeEscalation") is not False,
                "securityContext.allowPrivilegeEscalation=false",
            ),
        ),
        (
            "unrestricted capabilities",
            _bad(
                containers,
                lambda c: (
                    (c.get("capabilities") or {}).get("drop") != ["ALL"]
                    or set((c.get("capabilities") or {}).get("add") or ()) - {"NET_BIND_SERVICE"}
                ),
                'securityContext.capabilities.drop=["ALL"]',
            ),
        ),
        (
            "runAsNonRoot != true",
            _bad(
                containers,
                lambda c: c.get("runAsNonRoot", pod.get("runAsNonRoot")) is not True,
                "securityContext.runAsNonRoot=true",
            ),
        ),
        (
            "runAsUser=0",
            _bad(
                containers,
                lambda c: c.get("runAsUser", pod.get("runAsUser")) == 0,
                "runAsUser to a non-zero value",
            ),
        ),
        (
            "seccompProfile",
            _bad(
                containers,
                lambda c: (
                    (c.get("seccompProfile") or pod.get("seccompProfile") or {}).get("type")
                    not in ("RuntimeDefault", "Localhost")
                ),
                'securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"',
            ),
        ),
    )
    return [f"{name} ({words})" for name, words in checks if words]


def _containers(spec: Spec) -> list[Spec]:
    return [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]


def _bad(containers: list[Spec], is_bad: Any, must: str) -> str:
    named = [f'"{c.get("name")}"' for c in containers if is_bad(c.get("securityContext") or {})]
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
