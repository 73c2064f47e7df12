"""The container of a Pod in which a task runs. Pure."""

from __future__ import annotations

from typing import Any

from leoflow_agent.podname import TASK_CONTAINER
from leoflow_agent.podoption import PodOptions
from leoflow_agent.wire import VERDICT_VARIABLE

from leoflow_controlplane.error import LaunchFailed
from leoflow_controlplane.launch import Launch
from leoflow_controlplane.pod.image import pinned
from leoflow_controlplane.pod.mounted import agent_command, mounted_variables
from leoflow_controlplane.pod.quantity import make_resources
from leoflow_controlplane.pod.security import container_security
from leoflow_controlplane.pod.site import PodSite
from leoflow_controlplane.pod.volume import TMP_FOLDER, make_mounts
from leoflow_controlplane.tryenvironment import make_environment

# The kubelet puts a file there that any user may write to. Not in /tmp: where that is sticky,
# Linux lets nobody open another's file for writing (fs.protected_regular).
VERDICT_PATH = "/dev/termination-log"
# What a cluster keeps of an object, with room for the rest of the Pod (etcd takes 1.5 MiB).
MAX_ENVIRONMENT_BYTES = 1024**2


def make_task_container(launch: Launch, site: PodSite, options: PodOptions) -> dict[str, Any]:
    """Give the container of a try; LaunchFailed if its environment is too large."""
    container: dict[str, Any] = {
        "name": TASK_CONTAINER,
        "image": pinned(launch.image, launch.image_digest),
        "imagePullPolicy": options.image_pull_policy or site.image_pull_policy,
        "command": agent_command(launch, site),
        "env": _environment(launch, site, options),
        "envFrom": list(options.env_from),
        "resources": make_resources(launch.task.resources),
        "securityContext": container_security(options),
        "terminationMessagePath": VERDICT_PATH,
        "terminationMessagePolicy": "File",
        "volumeMounts": make_mounts(launch, site, options),
    }
    return {name: value for name, value in container.items() if value not in (None, [], {})}


def _environment(launch: Launch, site: PodSite, options: PodOptions) -> list[dict[str, Any]]:
    """Give the variables: the DAG's and leoflow's, then the task's own, which win over the DAG's.

    The root file system cannot be written to, so HOME is where it can be.
    """
    own = {"HOME": TMP_FOLDER, **mounted_variables(site), **make_environment(launch)}
    own[VERDICT_VARIABLE] = VERDICT_PATH
    said = {one["name"] for one in options.env if isinstance(one, dict) and "name" in one}
    written = [
        {"name": name, "value": literal(value)} for name, value in own.items() if name not in said
    ]
    _check_size(written, launch.task.task_id)
    return [*written, *options.env]


def literal(value: str) -> str:
    """Write a value so that the kubelet takes it as it is: it would put the values of others in
    the place of ``$(NAME)``, and make one ``$`` of two."""
    return value.replace("$", "$$")


def _check_size(variables: list[dict[str, str]], task_id: str) -> None:
    size = sum(len(one["name"]) + len(one["value"].encode()) for one in variables)
    if size > MAX_ENVIRONMENT_BYTES:
        raise LaunchFailed(
            f"task '{task_id}': its environment of {len(variables)} variables has "
            f"{size // 1024} KiB, and a Pod holds {MAX_ENVIRONMENT_BYTES // 1024} KiB. Put the "
            "values into a file of the project.",
            transient=False,
        )
