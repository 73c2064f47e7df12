"""What becomes of a Pod whose creation does not go well at once."""

from __future__ import annotations

import asyncio
import copy
from typing import Any

import pytest
from executor_contract import end_of
from fakecalls import FakeCluster, pod_status, terminated
from leoflow_controlplane.error import LaunchFailed
from leoflow_controlplane.executor.cluster import creating
from leoflow_controlplane.executor.cluster.fault import (
    Away,
    Broken,
    CallFailed,
    QuotaExceeded,
    Refused,
    Throttled,
    Unauthorized,
)
from leoflow_controlplane.executor.cluster.tidying import AT_ONCE
from leoflow_controlplane.pod.making import make_pod
from podground import Open, come, launch_of, name_of

PASSING: list[CallFailed] = [
    Away("no answer in time"),
    Throttled("too many requests", 0.001),
    Unauthorized("token expired"),
    Broken("failed calling webhook"),
    QuotaExceeded("exceeded quota: pods=10"),
]


@pytest.mark.parametrize("fault", PASSING, ids=lambda fault: type(fault).__name__)
async def test_what_passes_is_waited_for(
    opened: Open, cluster: FakeCluster, fault: CallFailed
) -> None:
    executor = await opened()
    cluster.faults["create_pod"].extend([fault] * 3)
    assert await executor.start(launch_of())
    assert len(cluster.pods) == executor.figures.started == 1


async def test_an_api_server_that_is_away_is_trouble_until_it_answers(
    opened: Open, cluster: FakeCluster
) -> None:
    executor = await opened()
    await come(lambda: cluster.watches)
    cluster.faults["create_pod"].extend([Away("connection refused")] * 500)
    starting = asyncio.create_task(executor.start(launch_of()))
    assert await come(lambda: executor.trouble) == "the Kubernetes API server does not answer"
    assert executor.figures.engine_errors > 0
    cluster.faults["create_pod"].clear()
    await starting
    assert executor.trouble is None


@pytest.mark.parametrize(
    ("fault", "transient", "words"),
    [
        (Refused('violates PodSecurity "restricted"'), False, "the cluster refused its Pod: viol"),
        (QuotaExceeded("exceeded quota: pods"), False, "quota_wait_seconds = 0: exceeded quota"),
        (Broken("webhook is down"), True, "start_timeout_seconds = 0: webhook is down"),
    ],
)
async def test_what_does_not_pass_fails_in_the_cluster_s_words(
    opened: Open, cluster: FakeCluster, fault: CallFailed, transient: bool, words: str
) -> None:
    executor = await opened(quota_wait_seconds=0, start_timeout_seconds=0)
    cluster.faults["create_pod"].append(fault)
    with pytest.raises(LaunchFailed, match=words) as failed:
        await executor.start(launch_of())
    assert failed.value.transient is transient
    assert executor.figures.running == 0
    # The next one is not in its way.
    assert await executor.start(launch_of())


async def test_a_server_that_is_away_uses_up_no_time_of_a_start(
    opened: Open, cluster: FakeCluster
) -> None:
    executor = await opened(start_timeout_seconds=0.02)
    broken, away = Broken("etcd"), Away("connection refused")
    cluster.faults["create_pod"].extend([broken, *[away] * 50, broken])
    assert await executor.start(launch_of())


async def test_a_server_that_stays_too_busy_is_told_of_once(
    opened: Open, cluster: FakeCluster, caplog: pytest.LogCaptureFixture
) -> None:
    executor = await opened()
    cluster.faults["create_pod"].extend([Throttled("too many requests", 0.001)] * 9)
    await executor.start(launch_of())
    assert caplog.messages == [f"{name_of(cluster)} is not created yet: too many requests"]


async def test_a_wait_for_a_quota_is_told_once(opened: Open, cluster: FakeCluster) -> None:
    executor = await opened()
    said: list[str] = []
    cluster.faults["create_pod"].extend([QuotaExceeded("exceeded quota: pods=10")] * 3)
    await executor.start(launch_of()._replace(say=said.append))
    assert said == ["waiting for the quota of the namespace: exceeded quota: pods=10"]


class Forgetful(FakeCluster):
    """Creates a Pod and does not answer, the first time."""

    def check(self, call: str, *arguments: Any) -> None:
        """Create on the way to the failure."""
        if call == "create_pod" and not self.asked.count((call, *arguments)) and self.body:
            self.put(self.body)
            self.faults[call].append(Away("no answer in time"))
        super().check(call, *arguments)

    body: dict[str, Any] | None = None


@pytest.fixture
def cluster() -> FakeCluster:
    """Give a cluster that can be told to lose an answer."""
    return Forgetful()


async def test_a_creation_whose_answer_was_lost_is_found(opened: Open, cluster: Forgetful) -> None:
    model = await opened()
    await model.start(launch_of())
    (pod,) = cluster.pods.values()
    body, name = copy.deepcopy(pod), pod["metadata"]["name"]
    cluster.vanish(name)
    await end_of(model)
    cluster.asked.clear()
    cluster.body = body
    executor = await opened()
    assert set(await executor.start(launch_of())) == {"created"}
    assert (executor.figures.started, executor.figures.adopted) == (1, 0)
    assert ("get_pod", name) in cluster.asked
    assert set(cluster.pods) == {name}
    cluster.play(name, pod_status("Succeeded", terminated(0)))
    assert (await end_of(executor)).exit.code == 0


async def test_the_pod_of_a_dead_process_is_taken_over(opened: Open, cluster: FakeCluster) -> None:
    dead, heir = await opened(), await opened()
    await dead.start(launch_of())
    assert await heir.start(launch_of()) == {}
    assert (heir.figures.started, heir.figures.adopted) == (0, 1)


@pytest.mark.parametrize("kind", ["labels", "annotations"])
async def test_a_pod_of_our_name_that_is_not_ours_is_left_alone(
    opened: Open, cluster: FakeCluster, kind: str
) -> None:
    dead, heir = await opened(), await opened()
    await dead.start(launch_of())
    cluster.pods[name_of(cluster)]["metadata"][kind] = {}
    with pytest.raises(LaunchFailed, match="it is not of this try") as failed:
        await heir.start(launch_of())
    assert not failed.value.transient
    assert name_of(cluster) in cluster.pods


async def test_a_pod_that_is_not_ours_is_left_alone_although_an_answer_was_lost(
    opened: Open, cluster: FakeCluster
) -> None:
    dead, heir = await opened(), await opened()
    await dead.start(launch_of())
    cluster.pods[name_of(cluster)]["metadata"]["labels"] = {}
    cluster.faults["create_pod"].append(Away("no answer in time"))
    with pytest.raises(LaunchFailed, match="it is not of this try"):
        await heir.start(launch_of())
    assert not heir._tidying.is_leaving(name_of(cluster))


@pytest.mark.parametrize(
    "fault", [Away("no answer in time"), Broken("etcdserver: request timed out")]
)
async def test_what_may_be_there_after_all_is_removed_when_a_start_is_given_up(
    opened: Open, cluster: FakeCluster, fault: CallFailed
) -> None:
    executor = await opened()
    cluster.faults["create_pod"].extend([fault, Refused("no more")])
    with pytest.raises(LaunchFailed):
        await executor.start(launch_of())
    await come(lambda: ("delete_pod", name_of(cluster), 1) in cluster.asked)


async def test_what_its_node_does_not_end_is_told_and_removed_by_force(
    opened: Open, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(creating, "LEAVE_SECONDS", 0.01 - AT_ONCE)
    executor = await opened()
    pod = make_pod(launch_of(), executor._place)
    cluster.mute = True
    cluster.deaf.add(pod["metadata"]["name"])
    cluster.before["create_pod"] = lambda: cluster.put(pod)
    cluster.faults["create_pod"].extend([Away("no answer in time"), Refused("no more")])
    with pytest.raises(LaunchFailed, match="Its Pod may have been created all the same"):
        await executor.start(launch_of())
    await come(lambda: not cluster.pods)
