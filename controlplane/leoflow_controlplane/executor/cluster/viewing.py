"""Reads Pods as the API server gives them, for whoever follows them."""

from __future__ import annotations

import logging

from leoflow_controlplane.executor.cluster.calls import Object
from leoflow_controlplane.pod.slim import PodView

logger = logging.getLogger("leoflow.executor.kubernetes")


def read_view(pod: Object) -> PodView | None:
    """Read a Pod; None, and a line in the log, if it makes no sense, for the others' sake."""
    try:
        return PodView.of(pod)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        # Not the Pod itself: the token of its try is in it.
        name = (pod.get("metadata") or {}).get("name")
        logger.warning("Pod '%s', as the API server tells it, makes no sense: %r", name, error)
        return None


def find_holders(pod: Object, view: PodView) -> tuple[str, ...]:
    """Name the finalizers for which alone a Pod that was deleted is still there."""
    if not view.deleting or view.grace_seconds:
        return ()
    return tuple(pod["metadata"].get("finalizers") or ())


def is_as_old(version: str, other: str) -> bool:
    """Say whether a version is not after another. They can be compared where they are numbers
    (KEP-5504), as those of all clusters with etcd are."""
    return version.isdigit() and other.isdigit() and int(version) <= int(other)
