"""The rules of the "restricted" Pod Security Standard, each with the field that breaks it.

Source: https://kubernetes.io/docs/concepts/security/pod-security-standards/ ("Baseline" and
"Restricted", as of Kubernetes 1.36); the names are those of the controls there. A rule looks at a
Pod and yields where it breaks it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

Pod = Mapping[str, Any]
VOLUMES = {
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
SYSCTLS = {
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
}
SELINUX = {"", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"}


def containers(pod: Pod) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield all containers with their security contexts."""
    for kind in ("containers", "initContainers", "ephemeralContainers"):
        for one in pod["spec"].get(kind, ()):
            yield one["name"], one


def contexts(pod: Pod) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the Pod's security context and those of its containers."""
    yield "pod", pod["spec"].get("securityContext", {})
    for name, one in containers(pod):
        yield name, one.get("securityContext", {})


def host_process(pod: Pod) -> Iterator[str]:
    for name, context in contexts(pod):
        if context.get("windowsOptions", {}).get("hostProcess"):
            yield name


def host_namespaces(pod: Pod) -> Iterator[str]:
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if pod["spec"].get(field):
            yield field


def privileged_containers(pod: Pod) -> Iterator[str]:
    for name, context in contexts(pod):
        if context.get("privileged"):
            yield name


def capabilities(pod: Pod) -> Iterator[str]:
    for name, one in containers(pod):
        found = one.get("securityContext", {}).get("capabilities", {})
        if "ALL" not in found.get("drop", ()) or set(found.get("add", ())) - {"NET_BIND_SERVICE"}:
            yield name


def host_path_volumes(pod: Pod) -> Iterator[str]:
    for volume in pod["spec"].get("volumes", ()):
        if "hostPath" in volume:
            yield volume["name"]


def host_ports(pod: Pod) -> Iterator[str]:
    for name, one in containers(pod):
        if any(port.get("hostPort") for port in one.get("ports", ())):
            yield name


def host_probes(pod: Pod) -> Iterator[str]:
    for name, one in containers(pod):
        for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
            handler = one.get(probe, {})
            if handler.get("httpGet", {}).get("host") or handler.get("tcpSocket", {}).get("host"):
                yield name


def app_armor(pod: Pod) -> Iterator[str]:
    for name, context in contexts(pod):
        if context.get("appArmorProfile", {}).get("type") not in (
            None,
            "RuntimeDefault",
            "Localhost",
        ):
            yield name


def se_linux(pod: Pod) -> Iterator[str]:
    for name, context in contexts(pod):
        options = context.get("seLinuxOptions", {})
        if options.get("type", "") not in SELINUX or options.get("user") or options.get("role"):
            yield name


def proc_mount(pod: Pod) -> Iterator[str]:
    for name, context in contexts(pod):
        if context.get("procMount") not in (None, "Default"):
            yield name


def sysctls(pod: Pod) -> Iterator[str]:
    for one in pod["spec"].get("securityContext", {}).get("sysctls", ()):
        if one["name"] not in SYSCTLS:
            yield one["name"]


def volume_types(pod: Pod) -> Iterator[str]:
    for volume in pod["spec"].get("volumes", ()):
        if not set(volume) - {"name"} <= VOLUMES:
            yield volume["name"]


def privilege_escalation(pod: Pod) -> Iterator[str]:
    for name, one in containers(pod):
        if one.get("securityContext", {}).get("allowPrivilegeEscalation") is not False:
            yield name


def running_as_non_root(pod: Pod) -> Iterator[str]:
    whole = pod["spec"].get("securityContext", {}).get("runAsNonRoot")
    for name, one in containers(pod):
        if not one.get("securityContext", {}).get("runAsNonRoot", whole):
            yield name


def running_as_non_root_user(pod: Pod) -> Iterator[str]:
    for name, context in contexts(pod):
        if context.get("runAsUser") == 0:
            yield name


def seccomp(pod: Pod) -> Iterator[str]:
    whole = pod["spec"].get("securityContext", {}).get("seccompProfile", {}).get("type")
    for name, one in containers(pod):
        profile = one.get("securityContext", {}).get("seccompProfile", {}).get("type", whole)
        if profile not in ("RuntimeDefault", "Localhost"):
            yield name


RULES: tuple[Callable[[Pod], Iterator[str]], ...] = (
    host_process,
    host_namespaces,
    privileged_containers,
    capabilities,
    host_path_volumes,
    host_ports,
    host_probes,
    app_armor,
    se_linux,
    proc_mount,
    sysctls,
    volume_types,
    privilege_escalation,
    running_as_non_root,
    running_as_non_root_user,
    seccomp,
)
