"""Pods as the API server tells of them, and the ends that are expected of them."""

from __future__ import annotations

from typing import Any

from fakecalls import CREATED, condition
from leoflow_controlplane.pod.slim import PodView
from leoflow_controlplane.verdict import Exit, Loss


def make_view(
    status: dict[str, Any], *, node: str | None = "n1", deleting: bool = False
) -> PodView:
    """Give the view of a Pod that has ``status``."""
    metadata = {"name": "p", "uid": "u", "resourceVersion": "7", "creationTimestamp": CREATED}
    if deleting:
        metadata["deletionTimestamp"] = CREATED
    spec = {"nodeName": node, "containers": [{"name": "task"}, {"name": "proxy"}]}
    return PodView.of({"metadata": metadata, "spec": spec, "status": status})


def disrupted(reason: str, message: str = "") -> dict[str, Any]:
    """Give what is in the status of a Pod that the cluster takes away."""
    return {"conditions": [condition("DisruptionTarget", "True", reason, message)]}


def lost(loss: Loss, reason: str) -> Exit:
    """Give an end that is the machinery's fault."""
    return Exit(None, reason=reason, machinery=True, loss=loss)


def never(reason: str) -> Exit:
    """Give an end that another try would have as well."""
    return Exit(None, reason=reason, final=True)
