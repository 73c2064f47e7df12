"""What a task may do on its node: by default what the "restricted" Pod Security Standard lets
anybody do. Pure.

Source: https://kubernetes.io/docs/concepts/security/pod-security-standards/
"""

from __future__ import annotations

from typing import Any

from leoflow_agent.podoption import PodOptions

from leoflow_controlplane.pod.override import apply_override

# The user of leoflow's images.
USER_ID = 65532


def pod_security(options: PodOptions) -> dict[str, Any]:
    """Give the Pod's security context: leoflow's, with what the task declares merged over it."""
    own = {
        "runAsNonRoot": True,
        "runAsUser": USER_ID,
        "runAsGroup": USER_ID,
        "fsGroup": USER_ID,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    return apply_override(own, options.pod_security_context or {}, "PodSecurityContext")


def container_security(options: PodOptions) -> dict[str, Any]:
    """Give the container's security context, likewise."""
    return apply_override(helper_security(), options.security_context or {}, "SecurityContext")


def helper_security() -> dict[str, Any]:
    """Give the security context of leoflow's own containers, as of one that copies the agent."""
    return {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "readOnlyRootFilesystem": True,
    }
