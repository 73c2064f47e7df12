"""That an image is pulled where its tasks may run, and that nothing is left of it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from fakecalls import FakeCalls, FakeCluster, running, terminated, waiting
from leoflow_agent.podoption import PodOptions
from leoflow_controlplane.executor.cluster import prepull
from leoflow_controlplane.executor.cluster.fault import AlreadyThere, Away, Refused
from leoflow_controlplane.executor.cluster.prepull import Prepull, has_pulled, make_daemon_sets
from leoflow_controlplane.pod.site import PodSite
from podground import come

SITE = PodSite("runs", "realm", "server", image_pull_secrets=("registry",))
GPU = PodOptions(
    node_selector={"gpu": "yes"},
    tolerations=({"key": "gpu", "operator": "Exists"},),
    affinity={"nodeAffinity": {"a": 1}, "podAffinity": {"b": 2}},
    image_pull_secrets=("mine",),
)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepull, "LOOK_SECONDS", 0.002)


def pod_of(body: dict[str, Any], number: int, *states: dict[str, Any]) -> dict[str, Any]:
    """Give a Pod of a DaemonSet, whose containers are in ``states``."""
    template = body["spec"]["template"]
    return {
        "metadata": {"name": f"p{number}", "labels": template["metadata"]["labels"]},
        "spec": template["spec"],
        "status": {"containerStatuses": [{"state": state} for state in states]},
    }


def test_there_is_one_for_each_kind_of_nodes() -> None:
    plain, gpu = make_daemon_sets("image", [None, GPU, PodOptions(), GPU], SITE)
    assert plain["metadata"]["name"] != gpu["metadata"]["name"]
    spec = gpu["spec"]["template"]["spec"]
    assert spec["nodeSelector"] == {"gpu": "yes"}
    assert spec["tolerations"] == [{"key": "gpu", "operator": "Exists"}]
    assert spec["affinity"] == {"nodeAffinity": {"a": 1}}
    assert spec["imagePullSecrets"] == [{"name": "registry"}, {"name": "mine"}]
    assert "nodeSelector" not in plain["spec"]["template"]["spec"]


def test_it_runs_nothing_of_the_image_and_may_do_nothing() -> None:
    (body,) = make_daemon_sets("image", [None], SITE._replace(agent_image="agent"))
    spec = body["spec"]["template"]["spec"]
    assert [one["image"] for one in spec["containers"]] == ["image", "agent"]
    assert {one["command"][0] for one in spec["containers"]} == {prepull.NO_PROGRAM}
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert all(
        one["securityContext"]["capabilities"] == {"drop": ["ALL"]} for one in spec["containers"]
    )
    assert spec["automountServiceAccountToken"] is False


@pytest.mark.parametrize(
    ("states", "pulled"),
    [
        ([], False),
        ([{}], False),
        ([waiting("ContainerCreating")], False),
        ([waiting("ImagePullBackOff")], False),
        ([waiting("RunContainerError")], True),
        ([terminated(128, "StartError")], True),
        ([running()], True),
    ],
)
def test_an_image_is_there_once_its_container_was_tried(
    states: list[dict[str, Any]], pulled: bool
) -> None:
    (body,) = make_daemon_sets("image", [None], SITE)
    assert has_pulled(pod_of(body, 1, *states)) is pulled


async def test_it_stays_until_all_nodes_have_the_image(cluster: FakeCluster) -> None:
    pulling = asyncio.create_task(Prepull(FakeCalls(cluster), SITE, 60).pull("image", [None]))
    (body,) = await come(lambda: list(cluster.daemon_sets.values()))
    for number in (1, 2):
        pod = pod_of(body, number)
        cluster.put(pod)
    body["status"] = {"observedGeneration": 1, "desiredNumberScheduled": 2}
    cluster.play("p1", pod_of(body, 1, terminated(128, "StartError"))["status"])
    asked = len(cluster.asked)
    await come(lambda: len(cluster.asked) > asked + 4)
    assert cluster.daemon_sets
    cluster.play("p2", pod_of(body, 2, waiting("CrashLoopBackOff"))["status"])
    assert await pulling == 2
    assert not cluster.daemon_sets


async def test_no_node_that_matches_is_no_wait(cluster: FakeCluster) -> None:
    pulling = asyncio.create_task(Prepull(FakeCalls(cluster), SITE, 60).pull("image", [GPU]))
    (body,) = await come(lambda: list(cluster.daemon_sets.values()))
    body["status"] = {"observedGeneration": 1, "desiredNumberScheduled": 0}
    assert await pulling == 0


@pytest.mark.parametrize("fault", [Refused("forbidden"), Away("off"), AlreadyThere("there")])
async def test_what_goes_wrong_is_only_told(cluster: FakeCluster, fault: Any) -> None:
    cluster.faults["create_daemon_set"].append(fault)
    assert await Prepull(FakeCalls(cluster), SITE, 0).pull("image", [None]) == 0


async def test_what_was_left_is_swept(cluster: FakeCluster) -> None:
    calls = FakeCalls(cluster)
    for site in (SITE, SITE._replace(realm_id="other")):
        for body in make_daemon_sets("image", [None], site):
            await calls.create_daemon_set(body)
    await Prepull(calls, SITE, 60).sweep()
    (left,) = cluster.daemon_sets.values()
    assert left["metadata"]["labels"][prepull.LABEL] == "other"
