"""What a task may say of its Pod: the part of a DagSpec that only Kubernetes reads.

Pure data, standard library only. Objects of the Kubernetes API are kept as they are written there,
in its own spelling, so that all that it knows can be said.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from leoflow_agent.action import Json

PullPolicy = Literal["Always", "IfNotPresent", "Never"]

_STRICT = {"extra": "forbid"}


@dataclass(frozen=True)
class PodOptions:
    """Fields of a Pod, by Kubernetes' names in Python's spelling. What is not said is left out.

    ``env`` and ``env_from`` are entries of the container's, ``security_context`` is the
    container's and ``pod_security_context`` the Pod's; both are merged over leoflow's own.
    ``pod_override`` is a strategic merge patch over the whole Pod, the last thing that is applied.
    """

    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: tuple[Json, ...] = ()
    affinity: Json = None
    topology_spread_constraints: tuple[Json, ...] = ()
    priority_class_name: str | None = None
    runtime_class_name: str | None = None
    scheduler_name: str | None = None
    service_account_name: str | None = None
    automount_service_account_token: bool = False
    image_pull_secrets: tuple[str, ...] = ()
    image_pull_policy: PullPolicy | None = None
    env: tuple[Json, ...] = ()
    env_from: tuple[Json, ...] = ()
    volumes: tuple[Json, ...] = ()
    volume_mounts: tuple[Json, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    security_context: Json = None
    pod_security_context: Json = None
    pod_override: Json = None
    __pydantic_config__ = _STRICT
