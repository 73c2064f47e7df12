"""That each end is told once, with what it was, and that limits are kept."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from executor_contract import end_of
from fakecalls import FakeCluster, condition, pod_status, running, terminated, waiting
from leoflow_controlplane.executor.cluster import ends
from leoflow_controlplane.executor.cluster.fault import QuotaExceeded
from leoflow_controlplane.verdict import Exit
from podground import Open, begin, come, launch_of

NO_ROOM = "0/3 nodes are available: 3 Insufficient cpu."
UNSCHEDULED = pod_status(
    "Pending", conditions=[condition("PodScheduled", "False", "Unschedulable", NO_ROOM)]
)
NOT_FOUND = "reg/x: not found"


async def test_a_try_that_has_the_name_of_an_earlier_one_gets_an_end_of_its_own(
    opened: Open, cluster: FakeCluster
) -> None:
    executor = await opened()
    name = await begin(executor, cluster)
    cluster.play(name, pod_status("Succeeded", terminated(0)))
    assert (await end_of(executor)).exit == Exit(0)
    await executor.remove(launch_of().key)
    assert name in cluster.pods
    await executor.start(launch_of())
    cluster.play(name, pod_status("Failed", terminated(3)))
    assert (await end_of(executor)).exit.code == 3


@pytest.mark.parametrize("code", [137, 143])
async def test_an_out_of_memory_that_is_told_late_is_seen(
    opened: Open, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """At once then, and whatever else is told of the end before."""
    monkeypatch.setattr(ends, "LOOK_AGAIN_SECONDS", 20.0)
    executor = await opened()
    name = await begin(executor, cluster)
    ready = [condition("Ready", "False", "PodFailed")]
    for status in (
        pod_status("Running", terminated(code)),
        pod_status("Failed", terminated(code), conditions=ready),
        pod_status("Failed", terminated(code, "OOMKilled"), conditions=ready),
    ):
        cluster.play(name, status)
        await come(lambda: executor._ends.live[name].looked_again)
    assert (await end_of(executor)).exit == Exit(code, oom_killed=True)
    assert ("get_pod", name) not in cluster.asked


async def test_a_kill_that_is_explained_a_moment_later_is_told_then(
    opened: Open, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ends, "LOOK_AGAIN_SECONDS", 20.0)
    executor = await opened()
    name = await begin(executor, cluster)
    cluster.play(name, pod_status("Running", terminated(137)))
    await come(lambda: executor._ends.live[name].looked_again)
    cluster.play(name, pod_status("Failed", terminated(137), reason="Evicted", message="low"))
    assert (await end_of(executor)).exit.loss == "evicted"


@pytest.mark.parametrize("why", ["stopped", "deleted", "evicted", "gone"])
async def test_who_was_killed_for_a_reason_that_is_known_is_told_at_once(
    opened: Open, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    monkeypatch.setattr(ends, "LOOK_AGAIN_SECONDS", 3600.0)
    executor = await opened()
    name = await begin(executor, cluster)
    fields: dict[str, Any] = {}
    if why == "stopped":
        executor._ends.live[name].unwanted.set()
    elif why == "deleted":
        cluster.pods[name]["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    elif why == "evicted":
        fields["conditions"] = [condition("DisruptionTarget", "True", "EvictionByEvictionAPI")]
    cluster.play(name, pod_status("Failed", terminated(137), **fields))
    if why == "gone":
        cluster.vanish(name)
    await end_of(executor)


async def test_who_was_killed_for_another_reason_is_told_after_a_second_look(
    opened: Open, cluster: FakeCluster
) -> None:
    executor = await opened()
    name = await begin(executor, cluster)
    cluster.play(name, pod_status("Failed", terminated(137)))
    assert (await end_of(executor)).exit == Exit(137)
    assert ("get_pod", name) in cluster.asked


async def test_a_pod_that_somebody_deletes_is_the_machinery_s_loss(
    opened: Open, cluster: FakeCluster
) -> None:
    executor = await opened()
    name = await begin(executor, cluster)
    cluster.play(name, pod_status("Running", running()))
    cluster.vanish(name)
    text = "its Pod was deleted by somebody while it ran"
    assert (await end_of(executor)).exit == Exit(None, reason=text, machinery=True, loss="deleted")


async def test_what_was_told_of_an_earlier_pod_of_its_name_is_no_end_of_a_try(
    opened: Open, cluster: FakeCluster
) -> None:
    executor = await opened()
    name = await begin(executor, cluster)
    await come(lambda: cluster.watches)
    executor._ends.live.clear()
    cluster.faults["create_pod"].extend([QuotaExceeded("exceeded quota: pods")] * 9999)
    starting = asyncio.create_task(executor.start(launch_of()))
    live = await come(lambda: executor._ends.live.get(name))
    cluster.play(name, pod_status("Failed", terminated(3)))
    cluster.vanish(name)
    await come(lambda: live.vanished_at)
    cluster.faults["create_pod"].clear()
    await starting
    cluster.play(name, pod_status("Succeeded", terminated(0)))
    assert (await end_of(executor)).exit == Exit(0)


async def test_a_defect_is_told_to_whoever_waits_for_ends(
    opened: Open, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    executor = await opened()

    def fail(*_: object) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr(executor._overdue, "_check", fail)
    await begin(executor, cluster)
    with pytest.raises(RuntimeError, match="a defect"):
        await end_of(executor)


async def test_what_a_pod_waits_for_is_told_once_in_each_stage(
    opened: Open, cluster: FakeCluster
) -> None:
    executor = await opened()
    said: list[str] = []
    await executor.start(launch_of()._replace(say=said.append))
    (name,) = cluster.pods
    other = [condition("PodScheduled", "False", "Unschedulable", "0/4 nodes are available")]
    for status in (UNSCHEDULED, pod_status("Pending", conditions=other)):
        cluster.play(name, status, node=None)
    long, short = "reg/x: i/o timeout", "Back-off"
    cluster.play(name, pod_status("Pending", waiting("ErrImagePull", long)))
    cluster.play(name, pod_status("Pending", waiting("ImagePullBackOff", short)))
    cluster.play(name, pod_status("Running", running()))
    await come(lambda: executor._ends.live[name].ran)
    assert said == [
        f"waiting for a node: {NO_ROOM}",
        f"waiting for the image: ErrImagePull: {long}",
    ]


async def test_an_end_says_when_a_node_was_found(opened: Open, cluster: FakeCluster) -> None:
    executor = await opened()
    name = await begin(executor, cluster)
    placed = {**condition("PodScheduled", "True", ""), "lastTransitionTime": "2026-01-01T00:00:00Z"}
    cluster.play(name, pod_status("Pending", waiting("ContainerCreating"), conditions=[placed]))
    cluster.play(name, pod_status("Succeeded", terminated(0), conditions=[placed]))
    ended = await end_of(executor)
    at = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
    assert at <= (ended.placed_at or 0) <= at + 1


@pytest.mark.parametrize(
    ("told", "seen_at", "at"),
    [
        (None, 5.0, None),
        (10.0, None, 10.0),
        (10.0, 10.4, 10.4),
        (10.0, 12.0, 11.0),
        (10.0, 9.5, 10.0),
    ],
)
def test_an_instant_of_whole_seconds_is_made_finer_by_what_was_seen(
    told: float | None, seen_at: float | None, at: float | None
) -> None:
    """Seen later than within its second, or by a clock that is behind, it says nothing more."""
    assert ends.refine(told, seen_at) == at
