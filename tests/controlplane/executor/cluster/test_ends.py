"""That each end is told once, with what it was, and that limits are kept."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from executor_contract import end_of
from fakecalls import FakeCluster, condition, pod_status, running, terminated, waiting
from leoflow_controlplane.executor.cluster import ends, limits
from leoflow_controlplane.executor.cluster.fault import Away, QuotaExceeded
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


async def test_an_out_of_memory_that_is_told_late_is_seen(
    opened: Open, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ends, "LOOK_AGAIN_SECONDS", 0.05)
    executor = await opened()
    name = await begin(executor, cluster)
    cluster.play(name, pod_status("Failed", terminated(137)))
    await come(lambda: executor._ends.live[name].looked_again)
    cluster.play(name, pod_status("Failed", terminated(137, "OOMKilled")))
    assert (await end_of(executor)).exit == Exit(137, oom_killed=True)


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

    monkeypatch.setattr(executor._ends, "_check", fail)
    await begin(executor, cluster)
    with pytest.raises(RuntimeError, match="a defect"):
        await end_of(executor)


LATE: dict[str, tuple[Mapping[str, Any], Exit]] = {
    "never scheduled": (
        UNSCHEDULED,
        Exit(
            None,
            reason=f"no node took its Pod within schedule_timeout_seconds = 0.02: {NO_ROOM}",
            final=True,
        ),
    ),
    "registry fails": (
        pod_status("Pending", waiting("ErrImagePull", "i/o timeout")),
        Exit(
            None,
            reason="its image could not be pulled within pull_grace_seconds = 0.02: "
            "ErrImagePull: i/o timeout",
            machinery=True,
            loss="launch",
        ),
    ),
    "image not there": (
        pod_status("Pending", waiting("ErrImagePull", NOT_FOUND)),
        Exit(None, reason=f"its image cannot be pulled: ErrImagePull: {NOT_FOUND}", final=True),
    ),
    "secret not there": (
        pod_status("Pending", waiting("CreateContainerConfigError", 'secret "s" not found')),
        Exit(
            None,
            reason='its container cannot be made: CreateContainerConfigError: secret "s" not found',
            final=True,
        ),
    ),
    "volume not there": (
        pod_status("Pending", waiting("ContainerCreating")),
        Exit(
            None,
            reason="its container did not run within start_timeout_seconds = 0.02: FailedMount: "
            "no such disk",
            machinery=True,
            loss="launch",
        ),
    ),
}
TINY = {
    "schedule_timeout_seconds": 0.02,
    "pull_grace_seconds": 0.02,
    "start_timeout_seconds": 0.02,
    "pull_timeout_seconds": 0.04,
}


@pytest.mark.parametrize(("status", "exit"), LATE.values(), ids=LATE.keys())
async def test_a_pod_that_waits_for_too_long_is_ended_and_removed(
    opened: Open, cluster: FakeCluster, status: Mapping[str, Any], exit: Exit
) -> None:
    executor = await opened(**TINY)
    await executor.start(launch_of())
    (name,) = cluster.pods
    cluster.events[name] = [
        {"type": "Normal", "reason": "Scheduled", "lastTimestamp": "2026-01-01T00:00:02Z"},
        {
            "type": "Warning",
            "reason": "FailedMount",
            "message": "no such disk",
            "lastTimestamp": "2026-01-01T00:00:01Z",
        },
    ]
    cluster.play(name, status, node=None if status is UNSCHEDULED else "n1")
    assert (await end_of(executor)).exit == exit
    await come(lambda: name not in cluster.pods)
    assert executor.figures.running == 0


async def test_a_pull_has_a_limit_of_its_own(opened: Open, cluster: FakeCluster) -> None:
    executor = await opened(**{**TINY, "pull_timeout_seconds": 0.06})
    await executor.start(launch_of())
    (name,) = cluster.pods
    cluster.events[name] = [
        {"type": "Normal", "reason": "Pulling", "message": 'Pulling image "x"', "eventTime": "t"}
    ]
    cluster.play(name, pod_status("Pending", waiting("ContainerCreating")))
    assert (await end_of(executor)).exit == Exit(
        None,
        reason="its container did not run within pull_timeout_seconds = 0.06: Pulling: Pulling "
        'image "x"',
        machinery=True,
        loss="launch",
    )


async def test_what_began_to_run_meanwhile_is_not_given_up(
    opened: Open, cluster: FakeCluster
) -> None:
    executor = await opened(**TINY)
    await executor.start(launch_of())
    (name,) = cluster.pods
    await come(lambda: executor._ends.live[name].view)
    cluster.mute = True
    # Only who asks for it sees that it runs.
    cluster.play(name, pod_status("Running", running()))
    await come(lambda: executor._ends.live[name].ran)
    cluster.mute = False
    cluster.play(name, pod_status("Succeeded", terminated(0)))
    assert (await end_of(executor)).exit == Exit(0)


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


@pytest.mark.parametrize("stopped", [False, True])
async def test_a_node_that_does_not_let_go_is_given_up(
    opened: Open, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch, stopped: bool
) -> None:
    monkeypatch.setattr(limits, "LEAVE_SECONDS", 0.02)
    executor = await opened()
    name = await begin(executor, cluster)
    cluster.play(name, pod_status("Running", running()))
    cluster.deaf.add(name)
    await come(lambda: executor._ends.live[name].ran)
    if stopped:
        stopping = asyncio.create_task(executor.stop(launch_of().key, 0))
    else:
        cluster.pods[name]["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        cluster.play(name, cluster.pods[name]["status"])
    exit = (await end_of(executor)).exit
    await come(lambda: ("delete_pod", name, 0) in cluster.asked)
    if stopped:
        await stopping
        assert exit == Exit(None, reason="it was stopped")
    else:
        text = "its Pod lost its node 'n1', which does not answer"
        assert exit == Exit(None, reason=text, machinery=True, loss="node")


async def test_an_api_server_that_is_away_ends_nothing(opened: Open, cluster: FakeCluster) -> None:
    executor = await opened(**TINY)
    name = await begin(executor, cluster)
    cluster.faults["watch_pods"].extend([Away("connection refused")] * 50)
    cluster.faults["get_pod"].extend([Away("connection refused")] * 50)
    cluster.cut()
    await come(lambda: executor.trouble)
    await come(lambda: len(cluster.faults["get_pod"]) < 45)
    assert not executor._ends.live[name].gone.is_set()


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
