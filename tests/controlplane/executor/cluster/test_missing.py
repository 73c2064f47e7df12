"""That a Pod which is told to be gone is looked for before its try is told lost."""

from __future__ import annotations

import copy

import pytest
from executor_contract import end_of
from fakecalls import ENDED, FakeCluster, pod_status, running, terminated
from leoflow_controlplane.executor.cluster import limits, overdue, watching
from leoflow_controlplane.executor.cluster.executor import KubernetesExecutor
from leoflow_controlplane.executor.cluster.fault import Away, Refused
from leoflow_controlplane.executor.cluster.live import Live
from leoflow_controlplane.kubernetessetting import KubernetesSettings
from leoflow_controlplane.verdict import Exit
from podground import Open, begin, come


@pytest.fixture(autouse=True)
def unlisted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing be found by a list."""
    monkeypatch.setattr(watching, "LIST_SECONDS", 3600.0)


async def run(executor: KubernetesExecutor, cluster: FakeCluster) -> Live:
    """Start a try whose Pod runs, and whose node ends nothing until it is told to vanish."""
    name = await begin(executor, cluster)
    cluster.deaf.add(name)
    cluster.play(name, pod_status("Running", running()))
    live = executor._ends.live[name]
    await come(lambda: live.ran)
    return live


async def unlabel(live: Live, cluster: FakeCluster) -> None:
    """Take the labels from a Pod, and wait until it is to end."""
    cluster.unlabel(live.name)
    await come(lambda: "deletionTimestamp" in cluster.pods[live.name]["metadata"])


async def test_a_pod_whose_labels_were_taken_is_ended_before_it_is_told_lost(
    opened: Open, cluster: FakeCluster
) -> None:
    executor = await opened()
    live = await run(executor, cluster)
    cluster.pods[live.name]["spec"]["terminationGracePeriodSeconds"] = 7
    await unlabel(live, cluster)
    assert ("delete_pod", live.name, 7) in cluster.asked
    await come(lambda: live.wait and live.wait.stage == "leave")
    assert not live.told.is_set()
    cluster.vanish(live.name)
    text = limits.UNFOLLOWED
    assert (await end_of(executor)).exit == Exit(None, reason=text, machinery=True, loss="deleted")


async def test_that_it_may_not_be_ended_is_told_once(
    opened: Open,
    cluster: FakeCluster,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(overdue, "AGAIN_SECONDS", 0.0)
    caplog.set_level("INFO", logger=overdue.logger.name)
    executor = await opened()
    live = await run(executor, cluster)
    cluster.faults["delete_pod"].extend([Refused("it is protected")] * 3)
    await unlabel(live, cluster)
    await come(lambda: any("is ended" in line for line in caplog.messages))
    assert [line for line in caplog.messages if live.name in line] == [
        f"Pod '{live.name}' cannot be given up yet: it is protected",
        f"Pod '{live.name}' is ended: its labels were taken from it",
    ]


async def test_an_end_of_its_own_is_what_it_ended_with(opened: Open, cluster: FakeCluster) -> None:
    executor = await opened(settings=KubernetesSettings(keep_finished_seconds=0))
    live = await run(executor, cluster)
    await unlabel(live, cluster)
    cluster.play(live.name, pod_status("Succeeded", terminated(0)))
    assert (await end_of(executor)).exit == Exit(0)
    cluster.deaf.clear()
    await executor.remove(live.key)
    await come(lambda: not cluster.pods)


async def test_what_has_ended_is_removed_although_a_watch_tells_that_it_is_gone(
    opened: Open, cluster: FakeCluster
) -> None:
    executor = await opened(settings=KubernetesSettings(keep_finished_seconds=0))
    live = await run(executor, cluster)
    cluster.pods[live.name]["status"] = pod_status("Succeeded", terminated(0))
    cluster.unlabel(live.name)
    assert (await end_of(executor)).exit == Exit(0)
    cluster.deaf.clear()
    await executor.remove(live.key)
    await come(lambda: not cluster.pods)


async def test_what_has_ended_and_was_deleted_is_not_removed_once_more(
    opened: Open, cluster: FakeCluster
) -> None:
    executor = await opened()
    live = await run(executor, cluster)
    cluster.pods[live.name]["metadata"]["deletionTimestamp"] = ENDED
    cluster.play(live.name, pod_status("Succeeded", terminated(0)))
    cluster.vanish(live.name)
    assert (await end_of(executor)).exit == Exit(0)
    await come(lambda: live.vanished_at)
    await executor.remove(live.key)
    assert not executor._tidying.is_leaving(live.name)


async def test_a_node_that_does_not_end_it_is_not_waited_for_for_ever(
    opened: Open, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "LEAVE_SECONDS", 0.02)
    executor = await opened()
    live = await run(executor, cluster)
    await unlabel(live, cluster)
    exit = (await end_of(executor)).exit
    assert exit.reason == f"{limits.UNFOLLOWED}. {limits.FORCED}"
    assert not cluster.pods


async def test_a_pod_that_is_there_with_its_labels_goes_on(
    opened: Open, cluster: FakeCluster
) -> None:
    executor = await opened()
    live = await run(executor, cluster)
    cluster._tell("DELETED", copy.deepcopy(cluster.pods[live.name]))
    await come(lambda: cluster.asked[-1][0] == "get_pod")
    cluster.play(live.name, pod_status("Failed", terminated(3)))
    assert (await end_of(executor)).exit.code == 3


async def test_nothing_is_told_lost_while_it_cannot_be_looked_for(
    opened: Open, cluster: FakeCluster
) -> None:
    executor = await opened()
    live = await run(executor, cluster)
    cluster.faults["get_pod"].extend([Away("connection refused")] * 9999)
    cluster.vanish(live.name)
    await come(lambda: len(cluster.faults["get_pod"]) < 9990)
    assert not live.told.is_set()
    cluster.faults["get_pod"].clear()
    assert (await end_of(executor)).exit.loss == "deleted"
