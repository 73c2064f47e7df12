"""The Pod of a try as the body of a create call. Pure: talks to no cluster.

What a task declares is in it whole; what leoflow adds passes the "restricted" Pod Security
Standard. The try's token is in the Pod's environment, as it is in a container's: docs/adr/0028.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from leoflow_agent.podoption import PodOptions

from leoflow_controlplane.error import LaunchFailed
from leoflow_controlplane.launch import Launch
from leoflow_controlplane.pod.container import make_task_container
from leoflow_controlplane.pod.mounted import make_agent_container
from leoflow_controlplane.pod.name import (
    DAG_ID,
    RUN_ID,
    label_value,
    make_annotations,
    make_labels,
    pod_name,
)
from leoflow_controlplane.pod.override import OverrideInvalid, apply_override
from leoflow_controlplane.pod.security import pod_security
from leoflow_controlplane.pod.site import PodSite
from leoflow_controlplane.pod.volume import make_volumes

# What an agent that was told to stop gets beyond its task's grace, to tell of the end.
REPORT_SECONDS = 5
NO_OPTIONS = PodOptions()


def make_pod(launch: Launch, site: PodSite) -> dict[str, Any]:
    """Give the body of ``POST …/pods``.

    Raises LaunchFailed when the workload or the environment is more than a program or a cluster
    takes, and when the try cannot have what it declares.
    """
    options = launch.task.kubernetes or NO_OPTIONS
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": _metadata(launch, site, options),
        "spec": _spec(launch, site, options),
    }
    if options.pod_override is None:
        return pod
    try:
        return apply_override(pod, options.pod_override)
    except OverrideInvalid as error:
        raise LaunchFailed(
            f"task '{launch.task.task_id}': kubernetes.pod_override does not fit: {error}",
            transient=False,
        ) from None


def _metadata(launch: Launch, site: PodSite, options: PodOptions) -> dict[str, Any]:
    return {
        "name": pod_name(launch.key, site.realm_id),
        "namespace": site.namespace,
        "labels": {**options.labels, **make_labels(launch.key, site)},
        "annotations": {**options.annotations, **make_annotations(launch.key)},
    }


def _spec(launch: Launch, site: PodSite, options: PodOptions) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": _grace_seconds(launch),
        "activeDeadlineSeconds": _deadline_seconds(launch, site),
        "enableServiceLinks": False,
        "automountServiceAccountToken": options.automount_service_account_token,
        "securityContext": pod_security(options),
        **dict(_placement(launch, site, options)),
        "imagePullSecrets": _pull_secrets(site, options),
        "initContainers": make_agent_container(launch, site),
        "containers": [make_task_container(launch, site, options)],
        "volumes": make_volumes(launch, site, options),
    }
    return {name: value for name, value in spec.items() if value not in (None, [], {})}


def _grace_seconds(launch: Launch) -> int:
    return math.ceil(launch.workload["grace_seconds"]) + REPORT_SECONDS


def _deadline_seconds(launch: Launch, site: PodSite) -> int | None:
    """Tell when the kubelet ends the Pod: long after the agent has ended the task."""
    seconds = launch.task.execution_timeout_seconds
    if seconds is None:
        return None
    return math.ceil(seconds) + _grace_seconds(launch) + site.backstop_seconds


def _placement(launch: Launch, site: PodSite, options: PodOptions) -> Iterator[tuple[str, Any]]:
    yield "nodeSelector", dict(options.node_selector)
    yield "tolerations", list(options.tolerations)
    yield "affinity", _affinity(launch, options)
    yield "topologySpreadConstraints", list(options.topology_spread_constraints)
    yield "priorityClassName", options.priority_class_name or site.priority_class
    yield "runtimeClassName", options.runtime_class_name
    yield "schedulerName", options.scheduler_name
    yield "serviceAccountName", options.service_account_name or site.service_account


def _affinity(launch: Launch, options: PodOptions) -> Any:
    """Add that the Pods of a run stay together where their volume can be on one node only.

    The first of them is let in by a rule of the scheduler's own: who asks for what nobody has yet
    but it itself, gets it.
    """
    if launch.staging_bytes is None or launch.staging_access_mode == "ReadWriteMany":
        return options.affinity
    run = launch.key.run
    labels = {DAG_ID: label_value(run.dag_id), RUN_ID: label_value(run.run_id)}
    term = {"labelSelector": {"matchLabels": labels}, "topologyKey": "kubernetes.io/hostname"}
    required = "requiredDuringSchedulingIgnoredDuringExecution"
    affinity = dict(options.affinity or {})
    pods = dict(affinity.get("podAffinity") or {})
    pods[required] = [*(pods.get(required) or []), term]
    return {**affinity, "podAffinity": pods}


def _pull_secrets(site: PodSite, options: PodOptions) -> list[dict[str, str]]:
    names = dict.fromkeys((*site.image_pull_secrets, *options.image_pull_secrets))
    return [{"name": name} for name in names]
