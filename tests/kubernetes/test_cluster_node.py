"""What becomes of Pods when their node does not stay, and images on several nodes, on a real
cluster: as far as it has nodes, and one of them may be drained. Run by `make test-kubernetes`."""

from __future__ import annotations

import asyncio
import os
import shlex
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from clusterground import Dressed, Ground, calls_of, opened
from clusterlack import SPARE, SWITCH
from clusterprobe import is_open, list_nodes
from executor_contract import make_launch, start_and_await
from leoflow_agent.podoption import PodOptions
from leoflow_controlplane.executor.cluster.calls import ApiCalls
from leoflow_controlplane.executor.cluster.prepull import Prepull
from leoflow_controlplane.executor.protocol import Ended, Limits
from leoflow_controlplane.pod.name import pod_name

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

Node = dict[str, Any]
HOST = "kubernetes.io/hostname"
TAINT = {"key": "leoflow.dev/test", "value": "here", "effect": "NoSchedule"}
TOLERATION = {"key": TAINT["key"], "operator": "Exists"}
PULL_SECONDS = 120.0
# A node is given up after 40 s without a word, or after 50 from Kubernetes 1.32 on.
LOSS_SECONDS = 300
SOON = {"operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 1}


@pytest.fixture
async def made(ground: Ground, tmp_path: Path) -> AsyncIterator[Dressed]:
    limits = Limits(pull_timeout_seconds=PULL_SECONDS)
    async with opened(ground, tmp_path / "home", limits=limits, prepull=True) as executor:
        yield executor


@pytest.mark.prepull
async def test_an_image_is_pulled_where_tasks_may_run(made: Dressed, ground: Ground) -> None:
    nowhere = PodOptions(node_selector={"leoflow.dev/no-such": "node"})
    assert await prepull(made, ground, nowhere) == 0
    assert await prepull(made, ground, PodOptions()) > 0
    async with calls_of(ground) as calls:
        assert await calls.list_daemon_sets("leoflow.dev/prepull") == []


@pytest.mark.nodes
async def test_an_image_is_pulled_on_the_nodes_that_a_task_selects(
    made: Dressed, ground: Ground
) -> None:
    async with calls_of(ground) as calls:
        nodes = [node for node in await list_nodes(calls._connection) if is_open(node)]
    one = PodOptions(node_selector={HOST: nodes[0]["metadata"]["labels"][HOST]})
    assert await prepull(made, ground, one) == 1
    assert await prepull(made, ground, PodOptions()) == len(nodes)


@pytest.mark.nodes
@pytest.mark.sparenode
async def test_a_node_with_a_taint_is_left_out_unless_it_is_tolerated(
    made: Dressed, ground: Ground
) -> None:
    async with calls_of(ground) as calls:
        nodes = [node for node in await list_nodes(calls._connection) if is_open(node)]
        async with changed(calls, lambda spec: spec | {"taints": [TAINT]}):
            assert await prepull(made, ground, PodOptions()) == len(nodes) - 1
            tolerant = PodOptions(tolerations=(TOLERATION,))
            assert await prepull(made, ground, tolerant) == len(nodes)


@pytest.mark.sparenode
async def test_a_pod_on_a_node_that_is_drained_is_lost(made: Dressed, ground: Ground) -> None:
    launch = on_spare("sleep")
    async with calls_of(ground) as calls:
        await start_and_await(made, launch)
        async with changed(calls, lambda spec: spec | {"unschedulable": True}):
            name = pod_name(launch.key, made.executor._place.realm_id)
            body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
            path = f"/api/v1/namespaces/{calls.namespace}/pods/{name}/eviction"
            (await calls._connection.ask("POST", path, None, body)).json()
            exit = (await next_end(made)).exit
    assert (exit.machinery, exit.loss) == (True, "evicted")


@pytest.mark.sparenode
async def test_a_pod_on_a_node_that_is_given_a_taint_is_lost(made: Dressed, ground: Ground) -> None:
    async with calls_of(ground) as calls:
        await start_and_await(made, on_spare("sleep"))
        taint = {**TAINT, "effect": "NoExecute"}
        async with changed(calls, lambda spec: spec | {"taints": [taint]}):
            exit = (await next_end(made)).exit
    assert (exit.machinery, exit.loss) == (True, "node")
    assert "given a taint" in (exit.reason or "")


@pytest.mark.nodeswitch
async def test_a_pod_on_a_node_that_dies_is_lost(made: Dressed) -> None:
    await start_and_await(made, on_spare("sleep", tolerations=(SOON,)))
    async with switched_off():
        exit = (await next_end(made)).exit
    assert (exit.machinery, exit.loss) == (True, "node")
    assert f"'{os.environ[SPARE]}'" in (exit.reason or "")


@pytest.mark.nodeswitch
async def test_a_pod_on_a_node_that_is_deleted_is_lost(made: Dressed, ground: Ground) -> None:
    async with calls_of(ground) as calls:
        await start_and_await(made, on_spare("sleep"))
        async with switched_off():
            await calls._connection.ask("DELETE", f"/api/v1/nodes/{os.environ[SPARE]}")
            exit = (await next_end(made)).exit
        await returned(calls)
    assert (exit.machinery, exit.loss) == (True, "node")


def on_spare(behave: str, **options: Any) -> Any:
    """Make a launch whose Pod runs on the node that tests may drain."""
    chosen = PodOptions(node_selector={HOST: os.environ[SPARE]}, **options)
    return make_launch(behave, kubernetes=chosen)


async def next_end(made: Dressed) -> Ended:
    """Wait for an end that the cluster takes its time for."""
    async with asyncio.timeout(LOSS_SECONDS):
        return await made.ended()


async def prepull(made: Dressed, ground: Ground, options: PodOptions) -> int:
    """Pull the ground's image where a task with ``options`` may run; count the nodes."""
    async with calls_of(ground) as calls:
        puller = Prepull(calls, made.executor._place, PULL_SECONDS)
        return await puller.pull(ground.image, [options])


@asynccontextmanager
async def changed(calls: ApiCalls, change: Callable[[Node], Node]) -> AsyncIterator[None]:
    """Have the spec of the spare node be another for a while."""
    before = (await read_spare(calls))["spec"]
    await write_spare(calls, change)
    try:
        yield
    finally:
        kept = {name: before.get(name) for name in ("taints", "unschedulable")}
        await write_spare(calls, lambda spec: spec | kept)


async def read_spare(calls: ApiCalls) -> Node:
    """Read the spare node."""
    path = f"/api/v1/nodes/{os.environ[SPARE]}"
    node: Node = (await calls._connection.ask("GET", path)).json()
    return node


async def write_spare(calls: ApiCalls, change: Callable[[Node], Node]) -> None:
    """Write the spare node, which its kubelet writes as well."""
    path = f"/api/v1/nodes/{os.environ[SPARE]}"
    for _ in range(20):
        node = await read_spare(calls)
        node["spec"] = change(node["spec"])
        answer = await calls._connection.ask("PUT", path, None, node)
        if answer.status != 409:
            answer.json()
            return


@asynccontextmanager
async def switched_off() -> AsyncIterator[None]:
    """Have the kubelet of the spare node be stopped for a while."""
    await switch("stop")
    try:
        yield
    finally:
        await switch("start")


async def switch(what: str) -> None:
    """Have the command of SWITCH ``stop`` or ``start`` the kubelet."""
    process = await asyncio.create_subprocess_exec(*shlex.split(os.environ[SWITCH]), what)
    assert await process.wait() == 0


async def returned(calls: ApiCalls) -> None:
    """Wait until the spare node is there again, and takes Pods."""
    async with asyncio.timeout(LOSS_SECONDS):
        while True:
            answer = await calls._connection.ask("GET", f"/api/v1/nodes/{os.environ[SPARE]}")
            if answer.status == 200 and is_open(answer.json()):
                return
            await asyncio.sleep(1)
