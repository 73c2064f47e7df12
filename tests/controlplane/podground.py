"""Tries on a fake cluster, for tests of what the executor of a cluster does with their Pods."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from executor_contract import make_launch
from fakecalls import FakeCluster, pod_status, waiting
from leoflow_controlplane.executor.cluster.executor import KubernetesExecutor
from leoflow_controlplane.launch import Launch

# Limits that are reached at once.
TINY = {
    "schedule_timeout_seconds": 0.02,
    "pull_grace_seconds": 0.02,
    "start_timeout_seconds": 0.02,
    "pull_timeout_seconds": 0.04,
}
STUCK = pod_status("Pending", waiting("ContainerCreating"))

Open = Callable[..., Awaitable[KubernetesExecutor]]


def launch_of(number: int = 1, **fields: Any) -> Launch:
    """Give a launch that a Pod can be made of."""
    launch = make_launch("exit:0", number, **fields)
    workload: Any = {**launch.workload, "grace_seconds": 10.0}
    return launch._replace(workload=workload)


def name_of(cluster: FakeCluster) -> str:
    """Give the name of the Pod that was asked for first."""
    return next((call[1] for call in cluster.asked if call[0] == "create_pod"), "")


async def begin(executor: KubernetesExecutor, cluster: FakeCluster, number: int = 1) -> str:
    """Start a try and give the name of its Pod."""
    before = set(cluster.pods)
    await executor.start(launch_of(number))
    (name,) = set(cluster.pods) - before
    return name


async def come(condition: Callable[[], Any]) -> Any:
    """Wait until something is so, and give what it is."""
    async with asyncio.timeout(60):
        while not (found := condition()):
            await asyncio.sleep(0.001)
    return found


async def delay(executor: KubernetesExecutor, cluster: FakeCluster) -> str:
    """Start a try whose Pod is stuck on a node that ends no Pods by itself; give its name."""
    name = await begin(executor, cluster)
    cluster.deaf.add(name)
    cluster.play(name, STUCK)
    return name


def deletions(cluster: FakeCluster) -> list[int]:
    """Give with which grace Pods were deleted."""
    return [call[2] for call in cluster.asked if call[0] == "delete_pod"]
