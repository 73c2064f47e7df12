"""Asks the cluster, before anything is started, whether Pods may mount the image of agents.

The API server alone is asked: whether nodes can do it shows when the first Pod starts.
"""

from __future__ import annotations

import logging
from typing import Any

from leoflow_controlplane.error import ExecutorUnusable
from leoflow_controlplane.executor.cluster.calls import ApiCalls
from leoflow_controlplane.executor.cluster.connection import Connection
from leoflow_controlplane.executor.cluster.fault import Broken, Refused
from leoflow_controlplane.pod.dropped import find_dropped
from leoflow_controlplane.pod.making import NO_OPTIONS
from leoflow_controlplane.pod.mounted import agent_mount, agent_volume
from leoflow_controlplane.pod.name import MANAGED_BY
from leoflow_controlplane.pod.security import helper_security, pod_security
from leoflow_controlplane.pod.site import PodSite

# Of an API server that has never heard of image volumes. One that has them switched off says
# nothing, and drops the volume and its mount.
_NO_VOLUMES = 'unknown field "spec.volumes[0].image"'
_AMOUNTS = {"cpu": "10m", "memory": "16Mi", "ephemeral-storage": "16Mi"}

logger = logging.getLogger("leoflow.executor.kubernetes")


async def check_mount(connection: Connection, site: PodSite) -> None:
    """Raise ExecutorUnusable if the image of agents is to be mounted and cannot be; raises Away if
    nobody answers."""
    if site.agent_image is None or site.agent_mount != "image-volume":
        return
    pod = make_probe(site)
    try:
        answered = await ApiCalls(connection).create_pod(pod, dry_run=True)
        dropped = find_dropped(pod, answered)
        is_known = not any(path.startswith("spec.volumes") for path in dropped)
    except (Refused, Broken) as fault:
        # An admission webhook that fails, or does not want it, says nothing of volumes.
        is_known = _NO_VOLUMES not in fault.words
        logger.debug("the Pod that mounts an image is not taken: %s", fault.words)
    if is_known:
        return
    version = (await connection.ask("GET", "/version")).json().get("gitVersion")
    raise ExecutorUnusable(
        f"the Kubernetes API server at {connection.host} ({version}) has no image volumes, and "
        "kubernetes_agent_mount is image-volume. There are some from 1.31 on, if the feature gate "
        "ImageVolume is on, as it is by default from 1.35. Set LEOFLOW_KUBERNETES_AGENT_MOUNT to "
        "init-container."
    )


def make_probe(site: PodSite) -> dict[str, Any]:
    """Give a Pod that mounts the image of agents, and does nothing else that could be refused."""
    container = {
        "name": "task",
        "image": site.agent_image,
        "resources": {"requests": _AMOUNTS, "limits": _AMOUNTS},
        "securityContext": helper_security(),
        "volumeMounts": agent_mount(site),
    }
    spec = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "securityContext": pod_security(NO_OPTIONS),
        "containers": [container],
        "volumes": agent_volume(site),
    }
    metadata = {"name": "leoflow-probe", "namespace": site.namespace, "labels": MANAGED_BY}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
