"""An API server that is away, busy, forgetful or restarted: each try runs once, and its end is told
once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from clusterground import Ground, calls_of, opened
from emulator.cluster import NAMESPACE, Cluster
from emulator.store import Key
from executor_contract import end_of, make_launch, run_one
from leoflow_controlplane.error import LaunchFailed
from leoflow_controlplane.executor.cluster import connection, creating, limits, watching
from leoflow_controlplane.executor.protocol import Limits
from leoflow_controlplane.pod.name import OWNER


async def until(is_so: Callable[[], Any]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(60):
        while not is_so():
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("kind", ["lost", "gone", "429", "500", "503", "slow"])
async def test_a_creation_that_goes_wrong_is_made_once(
    ground: Ground, cluster: Cluster, tmp_path: Path, kind: str
) -> None:
    cluster.faults.plan(kind, 0.05, verb="create", resource="pods")
    async with opened(ground, tmp_path / "home") as executor:
        assert (await run_one(executor, make_launch("exit:3"))).exit.code == 3
        assert executor.figures.started == 1
    assert list(cluster.kubelet.runs.values()) == [1]


@pytest.mark.parametrize("known_by", ["watch", "agent"])
async def test_what_is_gone_before_its_creation_is_known_of_is_not_created_again(
    ground: Ground, cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known_by: str
) -> None:
    again = asyncio.Event()
    monkeypatch.setattr(creating, "pause", lambda attempt: 0.0 if again.is_set() else 30.0)
    monkeypatch.setattr(creating, "_rest", lambda unwanted, seconds: rest(again, seconds))
    cluster.faults.plan("lost", verb="create", resource="pods")
    if known_by == "agent":
        cluster.faults.plan("503", verb="watch", times=1000)
    launch = make_launch("sleep")._replace(is_heard=lambda: known_by == "agent")
    async with opened(ground, tmp_path / "home") as executor, calls_of(ground) as calls:
        starting = asyncio.create_task(executor.start(launch))
        await until(lambda: list(cluster.kubelet.runs.values()) == [1])
        [live] = executor._ends.live.values()
        await until(lambda: live.view is not None or known_by == "agent")
        await calls.delete_pod(live.name, 0)
        again.set()
        with pytest.raises(LaunchFailed, match="deleted by somebody") as caught:
            await starting
        assert caught.value.transient
    assert list(cluster.kubelet.runs.values()) == [1]


async def rest(again: asyncio.Event, seconds: float) -> None:
    """Wait for a second attempt until it may come."""
    if seconds > 0:
        await again.wait()


@pytest.mark.parametrize("kind", ["cut", "410", "503", "silent"])
async def test_a_watch_that_ends_is_begun_again(
    ground: Ground, cluster: Cluster, tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "LIST_SECONDS", 0.3)
    cluster.faults.plan(kind, 1, verb="watch", times=2)
    async with opened(ground, tmp_path / "home") as executor:
        for code in (3, 4, 5):
            ended = await run_one(executor, make_launch(f"exit:{code}", code))
            assert ended.exit.code == code


async def test_an_api_server_may_be_restarted_while_tries_run(
    ground: Ground, cluster: Cluster, tmp_path: Path
) -> None:
    launch = make_launch("sleep")
    async with opened(ground, tmp_path / "home") as executor:
        await executor.start(launch)
        [pod] = cluster.pods()
        await until(lambda: cluster.pod(pod["metadata"]["name"])["status"]["phase"] == "Running")
        await cluster.go_away()
        await until(lambda: executor.trouble)
        await cluster.restart(away_seconds=0)
        await executor.stop(launch.key, 5)
        assert (await end_of(executor)).exit.code == 143
        assert executor.trouble is None
    assert list(cluster.kubelet.runs.values()) == [1]


async def test_a_pod_whose_labels_are_taken_is_ended_and_nothing_is_left(
    ground: Ground, cluster: Cluster, tmp_path: Path
) -> None:
    launch = make_launch("sleep")
    async with opened(ground, tmp_path / "home") as executor:
        await executor.start(launch)
        [pod] = cluster.pods()
        name = pod["metadata"]["name"]
        await until(lambda: cluster.pod(name)["status"]["phase"] == "Running")
        pod = cluster.pod(name)
        labels = {**pod["metadata"]["labels"], OWNER: "somebody"}
        cluster.store.put(
            Key("pods", NAMESPACE, name), {**pod, "metadata": {**pod["metadata"], "labels": labels}}
        )
        assert (await end_of(executor)).exit.reason == limits.UNFOLLOWED
        await executor.remove(launch.key)
        await until(lambda: not cluster.pods())


async def test_a_token_that_expired_is_read_again(
    cluster: Cluster, ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What is told then is told by a new watch, and found by no list.
    monkeypatch.setattr(watching, "LIST_SECONDS", 3600.0)
    monkeypatch.setattr(connection, "RENEWAL_SECONDS", 0.0)
    cluster.api.token = "first"
    cluster.write_kubeconfig(Path(ground.kubeconfig))
    async with opened(ground, tmp_path / "home") as executor:
        assert (await run_one(executor, make_launch("exit:0"))).exit.code == 0
        cluster.api.token = "second"
        text = Path(ground.kubeconfig).read_text()
        assert json.loads(text)["users"][0]["user"] == {"token": "first"}
        cluster.write_kubeconfig(Path(ground.kubeconfig))
        assert (await run_one(executor, make_launch("exit:4", 2))).exit.code == 4


async def test_a_quota_is_waited_for(
    ground: Ground, cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(creating, "QUOTA_SECONDS", 0.05)
    cluster.put("resourcequotas", "small", spec={"hard": {"pods": "1"}})
    said: list[str] = []
    sleeper = make_launch("sleep")
    async with opened(ground, tmp_path / "home") as executor:
        await executor.start(sleeper)
        second = asyncio.create_task(executor.start(make_launch("exit:0", 2, say=said.append)))
        await until(lambda: said)
        assert "exceeded quota: small" in said[0]
        await executor.stop(sleeper.key, 0)
        await second
        codes = [(await end_of(executor)).exit.code for _ in range(2)]
        assert sorted(code or 0 for code in codes) == [0, 143]


async def test_what_is_refused_is_told_in_the_cluster_s_words(
    ground: Ground, cluster: Cluster, tmp_path: Path
) -> None:
    cluster.put("resourcequotas", "none", spec={"hard": {"pods": "0"}})
    limits = Limits(quota_wait_seconds=0.1)
    async with opened(ground, tmp_path / "home", limits=limits) as executor:
        with pytest.raises(LaunchFailed, match="exceeded quota: none, requested: pods=1"):
            await executor.start(make_launch("exit:0"))
        cluster.faults.plan("403", verb="create", resource="pods")
        with pytest.raises(LaunchFailed, match="admission webhook says no") as caught:
            await executor.start(make_launch("exit:0", 2))
    assert not caught.value.transient
