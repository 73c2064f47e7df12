"""The container of a try as the body of the engine's create call. Pure: talks to no engine."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from leoflow_agent.spec import Resources

from leoflow_controlplane.keydigest import digest_key
from leoflow_controlplane.launch import Launch
from leoflow_controlplane.model import RunKey, TryKey
from leoflow_controlplane.tryenvironment import (
    ARTIFACTS_FOLDER,
    STAGING_FOLDER,
    make_environment,
)

USER = "65532:65532"
SOCKET_FOLDER = "/run/leoflow"
PIDS_LIMIT = 4096
MAX_CPU_SHARES = 262144
# Whose a container is: a process's own, or the server's, whichever process leads.
LABEL_INSTANCE = "leoflow.instance"
LABEL_HOME = "leoflow.home"

_LOG = {"Type": "json-file", "Config": {"max-size": "16m", "max-file": "1"}}


class ContainerSite(NamedTuple):
    """What all containers of one control-plane process have in common.

    ``socket_folder`` None: agents reach the control plane over the network, where
    ``extra_hosts`` may have to tell them the way.
    """

    home_id: str
    instance_id: str
    socket_folder: str | None
    network: str = "bridge"
    extra_hosts: tuple[str, ...] = ()


def make_container(launch: Launch, site: ContainerSite) -> dict[str, Any]:
    """Give the body of ``POST /containers/create``; the image's own entry point is the agent.

    Raises LaunchFailed when the workload or the DAG's environment is more than a program can get.
    """
    return {
        "Image": launch.image,
        "User": USER,
        "Env": [f"{name}={value}" for name, value in make_environment(launch).items()],
        "Labels": make_labels(launch.key, site),
        "HostConfig": {
            **make_resources(launch.task.resources),
            "Mounts": _mounts(launch, site),
            "NetworkMode": site.network,
            "ExtraHosts": list(site.extra_hosts),
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges"],
            "PidsLimit": PIDS_LIMIT,
            "LogConfig": _LOG,
            "Init": False,
            "AutoRemove": False,
        },
    }


def container_name(key: TryKey, home_id: str) -> str:
    """Name the container of a try: always the same for the same try, and for no other."""
    words = [key.dag_id, key.task_id, *([] if key.map_index < 0 else [str(key.map_index)])]
    readable = _readable("-".join(words))
    digest = digest_key(home_id, key)
    return "-".join(filter(None, ("leoflow", readable, str(key.try_number), digest)))


def _readable(text: str) -> str:
    return re.sub(r"[^a-z0-9_.]+", "-", text.lower()).strip("-._")[:40]


def volume_name(run: RunKey, home_id: str) -> str:
    """Name the volume that the tries of a run share."""
    return f"leoflow-staging-{_readable(run.dag_id)}-{digest_key(home_id, run)}"


def make_labels(key: TryKey, site: ContainerSite) -> dict[str, str]:
    """Label a container so that it can be found again without any other record."""
    return {
        **make_run_labels(key.run, site),
        "leoflow.task_id": key.task_id,
        "leoflow.map_index": str(key.map_index),
        "leoflow.try_number": str(key.try_number),
    }


def make_run_labels(run: RunKey, site: ContainerSite) -> dict[str, str]:
    """Label what belongs to a run as a whole."""
    return {
        LABEL_HOME: site.home_id,
        LABEL_INSTANCE: site.instance_id,
        "leoflow.dag_id": run.dag_id,
        "leoflow.run_id": run.run_id,
    }


def read_try(labels: Mapping[str, str]) -> TryKey | None:
    """Tell which try a container is of; None if its labels are not what `make_labels` writes."""
    try:
        return TryKey(
            labels["leoflow.dag_id"],
            labels["leoflow.run_id"],
            labels["leoflow.task_id"],
            int(labels["leoflow.map_index"]),
            int(labels["leoflow.try_number"]),
        )
    except (KeyError, ValueError):
        return None


def read_run(labels: Mapping[str, str]) -> RunKey:
    """Tell which run a volume is of."""
    return RunKey(labels.get("leoflow.dag_id", ""), labels.get("leoflow.run_id", ""))


def make_resources(resources: Resources) -> dict[str, int]:
    """Translate a task's resources: a CPU request is a share by the kubelet's formula, only a
    CPU limit is a quota, and no swap is added to the memory."""
    settings = {}
    if resources.requests.cpu_millis is not None:
        shares = resources.requests.cpu_millis * 1024 // 1000
        settings["CpuShares"] = min(max(2, shares), MAX_CPU_SHARES)
    if resources.limits.cpu_millis is not None:
        settings["NanoCpus"] = resources.limits.cpu_millis * 1_000_000
    memory = resources.memory_limit_bytes
    if memory is not None:
        settings["Memory"] = settings["MemorySwap"] = memory
    return settings


def _mounts(launch: Launch, site: ContainerSite) -> list[dict[str, Any]]:
    mounts = []
    if site.socket_folder is not None:
        mounts.append(_bind(site.socket_folder, SOCKET_FOLDER, read_only=True))
    if launch.artifacts is not None:
        mounts.append(_bind(launch.artifacts, ARTIFACTS_FOLDER, read_only=False))
    if launch.staging_bytes is not None:
        mounts.append(_staging(launch.key.run, site))
    return mounts


def _staging(run: RunKey, site: ContainerSite) -> dict[str, Any]:
    # The engine makes the volume with the first container that names it.
    return {
        "Type": "volume",
        "Source": volume_name(run, site.home_id),
        "Target": STAGING_FOLDER,
        "VolumeOptions": {"NoCopy": True, "Labels": make_run_labels(run, site)},
    }


def _bind(source: str, target: str, *, read_only: bool) -> dict[str, Any]:
    return {"Type": "bind", "Source": source, "Target": target, "ReadOnly": read_only}
