"""What a try finds mounted: /tmp, the folder of its run, artifacts, and what it declares. Pure."""

from __future__ import annotations

from typing import Any

from leoflow_agent.podoption import PodOptions

from leoflow_controlplane.error import LaunchFailed
from leoflow_controlplane.launch import Launch
from leoflow_controlplane.model import TryKey
from leoflow_controlplane.pod.mounted import agent_mount, agent_volume
from leoflow_controlplane.pod.name import claim_name, pod_name
from leoflow_controlplane.pod.quantity import bytes_quantity
from leoflow_controlplane.pod.site import PodSite
from leoflow_controlplane.tryenvironment import ARTIFACTS_FOLDER, STAGING_FOLDER

TMP_FOLDER = "/tmp"
TMP, STAGING = "leoflow-tmp", "leoflow-staging"
# In the folder of the run, a folder for each try.
_ARTIFACTS = ".artifacts"


def make_volumes(launch: Launch, site: PodSite, options: PodOptions) -> list[Any]:
    """Give the Pod's volumes."""
    volumes: list[Any] = [] if _brings_tmp(options) else [_tmp(launch, site)]
    if launch.staging_bytes is not None:
        claim = claim_name(launch.key.run, site.realm_id)
        volumes.append({"name": STAGING, "persistentVolumeClaim": {"claimName": claim}})
    return [*volumes, *agent_volume(site), *options.volumes]


def make_mounts(launch: Launch, site: PodSite, options: PodOptions) -> list[Any]:
    """Give the container's mounts; LaunchFailed if there is no place for artifacts."""
    mounts: list[Any] = []
    if not _brings_tmp(options):
        mounts.append({"name": TMP, "mountPath": TMP_FOLDER})
    if launch.staging_bytes is not None:
        mounts.append({"name": STAGING, "mountPath": STAGING_FOLDER})
    if launch.artifacts is not None:
        mounts.append(_artifacts(launch, site))
    return [*mounts, *agent_mount(site), *options.volume_mounts]


def artifacts_folder(key: TryKey, realm_id: str) -> str:
    """Name the folder of a try's artifacts on the volume of its run."""
    return f"{_ARTIFACTS}/{pod_name(key, realm_id)}"


def _artifacts(launch: Launch, site: PodSite) -> dict[str, Any]:
    if launch.staging_bytes is None:
        raise LaunchFailed(
            f"task '{launch.task.task_id}' leaves artifacts, and on Kubernetes they lie on the "
            "volume of the run, which the DAG does not ask for. Write 'staging: {size: 1Gi}' into "
            "leoflow.yaml.",
            transient=False,
        )
    folder = artifacts_folder(launch.key, site.realm_id)
    return {"name": STAGING, "mountPath": ARTIFACTS_FOLDER, "subPath": folder}


def _tmp(launch: Launch, site: PodSite) -> dict[str, Any]:
    resources = launch.task.resources
    said = resources.limits.ephemeral_storage_bytes or resources.requests.ephemeral_storage_bytes
    return {"name": TMP, "emptyDir": {"sizeLimit": bytes_quantity(said or site.tmp_limit_bytes)}}


def _brings_tmp(options: PodOptions) -> bool:
    """Tell whether a task mounts a volume of its own at /tmp."""
    mounts = (one for one in options.volume_mounts if isinstance(one, dict))
    return any(str(one.get("mountPath", "")).rstrip("/") == TMP_FOLDER for one in mounts)
