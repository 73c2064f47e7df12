"""The agent in images that do not bring it: mounted as an image, or copied by an init container.
Pure.
"""

from __future__ import annotations

from typing import Any

from leoflow_agent.podname import AGENT_CONTAINER

from leoflow_controlplane.pod.security import helper_security
from leoflow_controlplane.pod.site import AGENT_FOLDER, DAG_FOLDER, MOUNTED_AGENT, PYTHON, PodSite

AGENT = "leoflow-agent"
AGENT_LIMIT = "64Mi"
_COPY = f"import shutil; shutil.copytree('{AGENT_FOLDER}', '{MOUNTED_AGENT}{AGENT_FOLDER}')"


def agent_volume(site: PodSite) -> list[dict[str, Any]]:
    """Give the volume of a mounted agent, if it is mounted."""
    if site.agent_image is None:
        return []
    if site.agent_mount == "init-container":
        return [{"name": AGENT, "emptyDir": {"sizeLimit": AGENT_LIMIT}}]
    image = {"reference": site.agent_image, "pullPolicy": site.image_pull_policy}
    return [{"name": AGENT, "image": image}]


def agent_mount(site: PodSite) -> list[dict[str, Any]]:
    """Mount the agent into the task's container, read-only."""
    if site.agent_image is None:
        return []
    return [{"name": AGENT, "mountPath": MOUNTED_AGENT, "readOnly": True}]


def make_agent_container(site: PodSite) -> list[dict[str, Any]]:
    """Give the container that copies the agent where images cannot be mounted."""
    if site.agent_image is None or site.agent_mount != "init-container":
        return []
    small = {"cpu": "50m", "memory": "64Mi"}
    return [
        {
            "name": AGENT_CONTAINER,
            "image": site.agent_image,
            "imagePullPolicy": site.image_pull_policy,
            "command": [*PYTHON, "-S", "-c", _COPY],
            "resources": {"requests": small, "limits": {"memory": small["memory"]}},
            "securityContext": helper_security(),
            "volumeMounts": [{"name": AGENT, "mountPath": MOUNTED_AGENT}],
        }
    ]


def mounted_variables(site: PodSite) -> dict[str, str]:
    """Tell a mounted agent where the project's files are; images that leoflow built say so."""
    return {} if site.agent_image is None else {"LEOFLOW_DAG_FOLDER": DAG_FOLDER}
