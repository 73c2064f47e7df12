"""The claim of the volume that the tries of a run share, as the body of a create call. Pure."""

from __future__ import annotations

from typing import Any

from leoflow_agent.spec import AccessMode

from leoflow_controlplane.model import RunKey
from leoflow_controlplane.pod.name import claim_name, make_run_annotations, make_run_labels
from leoflow_controlplane.pod.quantity import bytes_quantity
from leoflow_controlplane.pod.site import PodSite


def make_claim(
    run: RunKey,
    size: int,
    storage_class: str | None,
    site: PodSite,
    access_mode: AccessMode = "ReadWriteMany",
) -> dict[str, Any]:
    """Give the body of ``POST …/persistentvolumeclaims``; ``size`` is in bytes.

    Without a ``storage_class`` the field is left out, which is how the cluster's default is asked
    for; an empty one would ask for a volume that somebody has made by hand.
    """
    spec: dict[str, Any] = {
        "accessModes": [access_mode],
        "resources": {"requests": {"storage": bytes_quantity(size)}},
    }
    if storage_class is not None:
        spec["storageClassName"] = storage_class
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": claim_name(run, site.realm_id),
            "namespace": site.namespace,
            "labels": make_run_labels(run, site),
            "annotations": make_run_annotations(run),
        },
        "spec": spec,
    }
