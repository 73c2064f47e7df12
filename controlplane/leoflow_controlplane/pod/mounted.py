"""The agent in images that do not bring it: mounted as an image, or copied by an init container.
Pure.

`leoflow agent-image` builds the image of agents: one for each Python of AGENT_PYTHONS, and the
sources for the others. An image of a task has `python3` on its PATH and the project's files in
DAG_FOLDER.
"""

from __future__ import annotations

from typing import Any

from leoflow_agent.podname import AGENT_CONTAINER

from leoflow_controlplane.launch import Launch
from leoflow_controlplane.pod.security import helper_security
from leoflow_controlplane.pod.site import PodSite

# As images that leoflow built have it: `leoflow_builder.dagsource`.
DAG_FOLDER = "/opt/leoflow/dag"
# In the image of agents: `leoflow_builder.systemimage.ownlayer`.
AGENTS_FOLDER = "/opt/leoflow/agents"
AGENT_PYTHONS = ("3.11", "3.13")
ANY_PYTHON = "source"
# Where that image, or the copy of one agent, is mounted.
MOUNT = "/leoflow-agent"
VOLUME = "leoflow-agent"
COPY_LIMIT = "64Mi"
# Unlike an image of leoflow's, it does not say where its packages are: Python has to look itself.
_PYTHON = ("python3", "-I", "-X", "utf8")


def agent_command(launch: Launch, site: PodSite) -> list[str]:
    """Give the command of a task's container; none where the image starts its own agent."""
    if site.agent_image is None:
        return []
    folder = _agent_of(launch)
    place = MOUNT if _is_copied(site) else f"{MOUNT}{AGENTS_FOLDER}/{folder}"
    kind = "py" if folder == ANY_PYTHON else "pyc"
    return [*_PYTHON, f"{place}/leoflow_agent/__main__.{kind}"]


def agent_volume(site: PodSite) -> list[dict[str, Any]]:
    """Give the volume of a mounted agent, if it is mounted."""
    if site.agent_image is None:
        return []
    if _is_copied(site):
        return [{"name": VOLUME, "emptyDir": {"sizeLimit": COPY_LIMIT}}]
    image = {"reference": site.agent_image, "pullPolicy": site.image_pull_policy}
    return [{"name": VOLUME, "image": image}]


def agent_mount(site: PodSite) -> list[dict[str, Any]]:
    """Mount the agent into the task's container, read-only."""
    if site.agent_image is None:
        return []
    return [{"name": VOLUME, "mountPath": MOUNT, "readOnly": True}]


def make_agent_container(launch: Launch, site: PodSite) -> list[dict[str, Any]]:
    """Give the container that copies the agent where images cannot be mounted.

    The image's own entry point copies: its arguments are which agent, and where to.
    """
    if site.agent_image is None or not _is_copied(site):
        return []
    small = {"cpu": "50m", "memory": "64Mi"}
    return [
        {
            "name": AGENT_CONTAINER,
            "image": site.agent_image,
            "imagePullPolicy": site.image_pull_policy,
            "args": [_agent_of(launch), MOUNT],
            "resources": {"requests": small, "limits": {"memory": small["memory"]}},
            "securityContext": helper_security(),
            "volumeMounts": [{"name": VOLUME, "mountPath": MOUNT}],
        }
    ]


def mounted_variables(site: PodSite) -> dict[str, str]:
    """Tell a mounted agent where the project's files are; images that leoflow built say so."""
    return {} if site.agent_image is None else {"LEOFLOW_DAG_FOLDER": DAG_FOLDER}


def _agent_of(launch: Launch) -> str:
    version = launch.python_version
    return version if version in AGENT_PYTHONS else ANY_PYTHON


def _is_copied(site: PodSite) -> bool:
    return site.agent_mount == "init-container"
