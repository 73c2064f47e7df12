"""What a Pod may take of the process that looks after it, counted, so that it is the same on each
machine: calls of functions, and calls of the API server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread

import pytest
from clusterground import Dressed, Ground, emulated_ground, opened
from emulator.cluster import Cluster, running_cluster
from executor_contract import end_of, make_launch

from benchmarks.controlplane.callcount import CallCount

PODS = 60
# From the order to the removal; between 1,450 and 2,050, by how many events come at a time.
MOST_CALLS = 2600


@contextmanager
def cluster_beside() -> Iterator[Cluster]:
    """Run a cluster in a thread of its own, in which nothing is counted."""
    found: list[Cluster] = []
    loop = asyncio.new_event_loop()
    over, ready = asyncio.Event(), asyncio.Event()

    async def serve() -> None:
        async with running_cluster() as cluster:
            found.append(cluster)
            ready.set()
            await over.wait()

    thread = Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(ready.wait(), loop).result(30)
        yield found[0]
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
        loop.close()


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    """A cluster that takes nothing of what is counted."""
    with cluster_beside() as cluster:
        yield emulated_ground(cluster, tmp_path)


async def test_a_pod_takes_no_more_than_it_may(ground: Ground, tmp_path: Path) -> None:
    async with opened(ground, tmp_path / "home") as executor:
        await live_through(executor, "first", 1)
        with CallCount() as counted:
            await live_through(executor, "counted", PODS)
    assert ground.cluster is not None
    asked = ground.cluster.api.calls
    assert (asked["create", "pods"], asked["delete", "pods"]) == (PODS + 1, PODS + 1)
    assert asked["get", "pods"] == 0
    print(f"{counted.calls / PODS:.0f} calls of functions for a Pod")
    assert counted.calls / PODS <= MOST_CALLS


async def live_through(executor: Dressed, run_id: str, count: int) -> None:
    """Start Pods, wait for their ends and remove them."""
    launches = [make_launch("exit:0", number, run_id=run_id) for number in range(count)]
    await asyncio.gather(*(executor.start(launch) for launch in launches))
    for _ in launches:
        ended = await end_of(executor)
        assert ended.exit.code == 0
        await executor.remove(ended.key)
