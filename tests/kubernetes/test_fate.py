"""Each fate of a Pod ends as such Pods do on a cluster, seen through the API."""

from __future__ import annotations

from typing import Any

import pytest
from emulator.fate import FATES
from emulatorclient import Client, make_pod

# What a Pod looks like in the end: its phase, the reason of the Pod or of its container, its
# container's exit code, and whether it is being deleted. None: its object is gone.
ENDS: dict[str, tuple[Any, ...] | None] = {
    "run": ("Succeeded", "Completed", 0, False),
    "slow:0.01": ("Succeeded", "Completed", 0, False),
    "crawling:0.01": ("Succeeded", "Completed", 0, False),
    "unschedulable": ("Pending", "Unschedulable", None, False),
    "unschedulable_first": ("Succeeded", "Completed", 0, False),
    "pull_error": ("Pending", "ImagePullBackOff", None, False),
    "pull_error_first": ("Succeeded", "Completed", 0, False),
    "never_pulled": ("Pending", "ErrImageNeverPull", None, False),
    "invalid_image_name": ("Pending", "InvalidImageName", None, False),
    "config_error": ("Pending", "CreateContainerConfigError", None, False),
    "create_error": ("Pending", "CreateContainerError", None, False),
    "stuck": ("Pending", "ContainerCreating", None, False),
    "init_pull_error": ("Pending", "ImagePullBackOff", None, False),
    "start_error": ("Failed", "StartError", 128, False),
    "oom": ("Failed", "OOMKilled", 137, False),
    "oom_late": ("Failed", "OOMKilled", 137, False),
    "evicted": ("Failed", "Evicted", 137, False),
    "disk_full": ("Failed", "Evicted", 137, False),
    "preempted": None,
    "drained": None,
    "node_lost": ("Running", "NodeLost", None, True),
    "node_gone": None,
    "node_shutdown": ("Failed", "Terminated", 137, False),
    "node_rebooted": ("Failed", "ContainerStatusUnknown", 137, False),
    "rejected": ("Failed", "OutOfcpu", None, False),
    "deadline": ("Failed", "DeadlineExceeded", 137, False),
    "deleted": None,
    "vanished": None,
    "vanished_pending": None,
}


def test_each_fate_is_here() -> None:
    assert {fate.partition(":")[0] for fate in ENDS} == set(FATES)


@pytest.mark.parametrize("fate", ENDS)
async def test_a_pod_ends_as_its_fate_is(client: Client, fate: str) -> None:
    pod = make_pod("p", FATE=fate)
    if fate == "init_pull_error":
        pod["spec"]["initContainers"] = [{"name": "agent", "image": "agent"}]
    await client.create(pod)
    await client.until("p", lambda pod: _look(pod) == ENDS[fate])


def _look(pod: dict[str, Any]) -> tuple[Any, ...] | None:
    if pod["kind"] == "Status":
        return None
    status = pod["status"]
    states = [
        item["state"]
        for kind in ("initContainerStatuses", "containerStatuses")
        for item in status.get(kind) or ()
    ]
    ended = next((state["terminated"] for state in states if "terminated" in state), {})
    waits = next((state["waiting"] for state in states if "waiting" in state), {})
    why = [item.get("reason") for item in status.get("conditions") or () if "message" in item]
    known = [status.get("reason"), ended.get("reason"), waits.get("reason"), *why]
    reason = next((word for word in known if word), None)
    going = "deletionTimestamp" in pod["metadata"]
    return status["phase"], reason, ended.get("exitCode"), going
