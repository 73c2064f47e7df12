"""The container of a try as the body of the engine's create call. Pure: talks to no engine."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from leoflow_agent.spec import Resources

from leoflow_controlplane.error import LaunchFailed
from leoflow_controlplane.executor.protocol import Launch
from leoflow_controlplane.model import RunKey, TryKey
from leoflow_controlplane.workload import encode_workload

USER = "65532:65532"
SOCKET_FOLDER = "/run/leoflow"
ARTIFACTS_FOLDER = "/artifacts"
STAGING_FOLDER = "/staging"
PIDS_LIMIT = 4096
MAX_CPU_SHARES = 262144
# What Linux hands to a program: 128 KiB in one string with its end, and of all strings and their
# addresses a quarter of a stack of 8 MiB. The image and the engine add some of their own.
MAX_VARIABLE_BYTES = 128 * 1024 - 1
MAX_ENVIRONMENT_BYTES = 2 * 1024**2 - 8 * 1024
ADDRESS_BYTES = 8
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
        "Env": _environment(launch),
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
    digest = _digest(home_id, key)
    return "-".join(filter(None, ("leoflow", readable, str(key.try_number), digest)))


def _readable(text: str) -> str:
    return re.sub(r"[^a-z0-9_.]+", "-", text.lower()).strip("-._")[:40]


def _digest(home_id: str, key: TryKey | RunKey) -> str:
    return hashlib.sha256("\0".join((home_id, *map(str, key))).encode()).hexdigest()[:12]


def volume_name(run: RunKey, home_id: str) -> str:
    """Name the volume that the tries of a run share."""
    return f"leoflow-staging-{_readable(run.dag_id)}-{_digest(home_id, run)}"


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


def _environment(launch: Launch) -> list[str]:
    variables = dict(launch.environment)
    if launch.artifacts is not None:
        variables["LEOFLOW_ARTIFACTS"] = ARTIFACTS_FOLDER
    if launch.staging_bytes is not None:
        variables["LEOFLOW_STAGING"] = STAGING_FOLDER
        variables["LEOFLOW_STAGING_BYTES"] = str(launch.staging_bytes)
    variables["LEOFLOW_WORKLOAD"] = encode_workload(launch.workload)
    environment = [f"{name}={value}" for name, value in variables.items()]
    _check_environment(environment, launch.task.task_id)
    return environment


def _check_environment(environment: list[str], task_id: str) -> None:
    """Refuse what would end the container without a word from the agent."""
    sizes = [len(variable.encode()) for variable in environment]
    longest = max(sizes)
    if longest > MAX_VARIABLE_BYTES:
        name = environment[sizes.index(longest)].partition("=")[0]
        raise LaunchFailed(
            f"task '{task_id}': the variable '{name}' in environment has {longest // 1024} KiB, "
            "and no program gets more than 128 KiB in one. Put the value into a file.",
            transient=False,
        )
    total = sum(sizes) + len(sizes) * (1 + ADDRESS_BYTES)
    if total > MAX_ENVIRONMENT_BYTES:
        raise LaunchFailed(
            f"task '{task_id}': its environment of {len(sizes)} variables has {total // 1024} KiB, "
            "and no program gets more than 2 MiB. Put the values into a file of the project.",
            transient=False,
        )


def _mounts(launch: Launch, site: ContainerSite) -> list[dict[str, Any]]:
    mounts = []
    if site.socket_folder is not None:
        mounts.append(_bind(site.socket_folder, SOCKET_FOLDER, read_only=True))
    if launch.artifacts is not None:
        mounts.append(_bind(str(launch.artifacts), ARTIFACTS_FOLDER, read_only=False))
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
