"""The environment of a try that runs in a container, and its folders there: the same on every
engine. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping

from leoflow_controlplane.error import LaunchFailed
from leoflow_controlplane.launch import Launch
from leoflow_controlplane.workload import encode_workload

ARTIFACTS_FOLDER = "/artifacts"
STAGING_FOLDER = "/staging"
# What Linux hands to a program: 128 KiB in one string with its end, and of all strings and their
# addresses a quarter of a stack of 8 MiB. The image and the engine add some of their own.
MAX_VARIABLE_BYTES = 128 * 1024 - 1
MAX_ENVIRONMENT_BYTES = 2 * 1024**2 - 8 * 1024
ADDRESS_BYTES = 8


def make_environment(launch: Launch) -> dict[str, str]:
    """Give the variables of a try: what its DAG declares, then what the agent and tasks rely on.

    Raises LaunchFailed when they are more than a program can get.
    """
    variables = dict(launch.environment)
    if launch.artifacts is not None:
        variables["LEOFLOW_ARTIFACTS"] = ARTIFACTS_FOLDER
    if launch.staging_bytes is not None:
        variables["LEOFLOW_STAGING"] = STAGING_FOLDER
        variables["LEOFLOW_STAGING_BYTES"] = str(launch.staging_bytes)
    variables["LEOFLOW_WORKLOAD"] = encode_workload(launch.workload)
    _check(variables, launch.task.task_id)
    return variables


def _check(variables: Mapping[str, str], task_id: str) -> None:
    """Refuse what would end the container without a word from the agent."""
    sizes = {name: len(f"{name}={value}".encode()) for name, value in variables.items()}
    name, longest = max(sizes.items(), key=lambda item: item[1])
    if longest > MAX_VARIABLE_BYTES:
        raise LaunchFailed(
            f"task '{task_id}': the variable '{name}' in environment has {longest // 1024} KiB, "
            "and no program gets more than 128 KiB in one. Put the value into a file.",
            transient=False,
        )
    total = sum(sizes.values()) + len(sizes) * (1 + ADDRESS_BYTES)
    if total > MAX_ENVIRONMENT_BYTES:
        raise LaunchFailed(
            f"task '{task_id}': its environment of {len(sizes)} variables has {total // 1024} KiB, "
            "and no program gets more than 2 MiB. Put the values into a file of the project.",
            transient=False,
        )
