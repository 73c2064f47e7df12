"""The claim of the volume that the tries of a run share, as the body of a create call. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from leoflow_controlplane.launch import Launch
from leoflow_controlplane.pod.name import (
    ARTIFACTS,
    KEPT,
    claim_name,
    make_run_annotations,
    make_run_labels,
)
from leoflow_controlplane.pod.quantity import bytes_quantity
from leoflow_controlplane.pod.site import PodSite


def make_claim(launch: Launch, site: PodSite) -> dict[str, Any] | None:
    """Give the body of ``POST …/persistentvolumeclaims``; None if the run of ``launch`` has none.

    Without a storage class the field is left out, which is how the cluster's default is asked
    for; an empty one would ask for a volume that somebody has made by hand.
    """
    if launch.staging_bytes is None:
        return None
    run = launch.key.run
    spec: dict[str, Any] = {
        "accessModes": [launch.staging_access_mode],
        "resources": {"requests": {"storage": bytes_quantity(launch.staging_bytes)}},
    }
    if launch.staging_storage_class is not None:
        spec["storageClassName"] = launch.staging_storage_class
    kept = {ARTIFACTS: KEPT} if launch.run_leaves_artifacts else {}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": claim_name(run, site.realm_id),
            "namespace": site.namespace,
            "labels": {**make_run_labels(run, site), **kept},
            "annotations": make_run_annotations(run),
        },
        "spec": spec,
    }


def is_kept(metadata: Mapping[str, Any]) -> bool:
    """Tell whether a claim outlives its run, for the artifacts that are on it."""
    return (metadata.get("labels") or {}).get(ARTIFACTS) == KEPT
