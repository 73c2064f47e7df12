"""That a Pod which waits for too long is given up, and its end told once that is sure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from executor_contract import assert_no_more, end_of
from fakecalls import FakeCluster, condition, pod_status, running, terminated, waiting
from leoflow_controlplane.executor.cluster import limits
from leoflow_controlplane.executor.cluster.fault import Away, Broken, CallFailed, Forbidden
from leoflow_controlplane.pod.pullfault import SECRET_ADVICE, TRUST_ADVICE
from leoflow_controlplane.setting import Settings
from leoflow_controlplane.verdict import Exit
from podground import STUCK, TINY, Open, begin, come, deletions, launch_of

NO_ROOM = "0/3 nodes are available: 3 Insufficient cpu."
UNSCHEDULED = pod_status(
    "Pending", conditions=[condition("PodScheduled", "False", "Unschedulable", NO_ROOM)]
)
NOT_FOUND = "reg/x: not found"


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
    "not let in": (
        pod_status("Pending", waiting("ErrImagePull", "reg/x: 401 Unauthorized")),
        Exit(
            None,
            reason=f"its image cannot be pulled: ErrImagePull: reg/x: 401 Unauthorized. "
            f"{SECRET_ADVICE}",
            final=True,
        ),
    ),
    "registry not trusted": (
        pod_status("Pending", waiting("ErrImagePull", "reg/x: x509: unknown authority")),
        Exit(
            None,
            reason="its image cannot be pulled: ErrImagePull: reg/x: x509: unknown authority. "
            f"{TRUST_ADVICE}",
            final=True,
        ),
    ),
    "secret not there": (
        pod_status("Pending", waiting("CreateContainerConfigError", 'secret "s" not found')),
        Exit(
            None,
            reason='its container cannot be made: CreateContainerConfigError: secret "s" not found',
            final=True,
        ),
    ),
    "no name of an image": (
        pod_status("Pending", waiting("InvalidImageName", 'couldn\'t parse image name "A"')),
        Exit(
            None,
            reason="the name of its image makes no sense: InvalidImageName: couldn't parse image "
            'name "A"',
            final=True,
        ),
    ),
    "volume not there": (
        STUCK,
        Exit(
            None,
            reason="its container did not run within start_timeout_seconds = 0.02: FailedMount: "
            "no such disk",
            machinery=True,
            loss="launch",
        ),
    ),
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
    assert name not in cluster.pods
    assert executor.figures.running == 0


async def test_a_secret_to_pull_with_that_is_not_there_is_named(
    opened: Open, cluster: FakeCluster
) -> None:
    executor = await opened(**TINY)
    await executor.start(launch_of())
    (name,) = cluster.pods
    words = "Unable to retrieve some image pull secrets (keys)"
    cluster.events[name] = [
        {"type": "Warning", "reason": "FailedToRetrieveImagePullSecret", "message": words},
        {"type": "Warning", "reason": "Failed", "message": "Error: ErrImagePull"},
    ]
    cluster.play(name, pod_status("Pending", waiting("ErrImagePull", "no basic auth credentials")))
    told = f"its image cannot be pulled: ErrImagePull: no basic auth credentials. {words}"
    assert (await end_of(executor)).exit.reason == f"{told}. {SECRET_ADVICE}"


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


@pytest.mark.parametrize("fault", [Forbidden("events is forbidden"), Broken("etcd"), Away("gone")])
async def test_a_pod_whose_events_cannot_be_read_has_the_limit_of_a_pull(
    opened: Open, cluster: FakeCluster, fault: CallFailed
) -> None:
    executor = await opened(**TINY)
    name = await begin(executor, cluster)
    cluster.faults["list_events"].extend([fault] * 9999)
    cluster.play(name, STUCK)
    text = "its container did not run within pull_timeout_seconds = 0.04"
    assert (await end_of(executor)).exit == Exit(
        None,
        reason=f"{text}: its events cannot be read: {fault.words}",
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


async def test_what_moves_on_as_it_is_given_up_is_judged_again(
    opened: Open, cluster: FakeCluster
) -> None:
    executor = await opened(**TINY)
    name = await begin(executor, cluster)
    # Between the last look at it and its deletion.
    cluster.before["delete_pod"] = lambda: cluster.play(name, pod_status("Running", running()))
    cluster.play(name, STUCK)
    await come(lambda: executor._ends.live[name].ran)
    cluster.play(name, pod_status("Succeeded", terminated(0)))
    assert (await end_of(executor)).exit == Exit(0)
    assert deletions(cluster) == [1]
    await executor.remove(launch_of().key)
    await assert_no_more(executor)


async def test_what_changes_all_the_time_is_given_up_in_the_end(
    opened: Open, cluster: FakeCluster
) -> None:
    """A kubelet that fails and backs off in turns, before an API server that is slow."""
    executor = await opened(**TINY)
    name = await begin(executor, cluster)
    status = pod_status("Pending", waiting("ErrImagePull", NOT_FOUND))

    def change() -> None:
        cluster.play(name, status)
        cluster.before["delete_pod"] = change

    change()
    assert (await end_of(executor)).exit.final
    assert name not in cluster.pods


async def test_an_api_server_that_is_away_ends_nothing(opened: Open, cluster: FakeCluster) -> None:
    executor = await opened(**TINY)
    name = await begin(executor, cluster)
    cluster.faults["watch_pods"].extend([Away("connection refused")] * 50)
    cluster.faults["get_pod"].extend([Away("connection refused")] * 50)
    cluster.cut()
    await come(lambda: executor.trouble)
    await come(lambda: len(cluster.faults["get_pod"]) < 45)
    assert not executor._ends.live[name].told.is_set()


def test_who_asked_for_a_stop_is_told_of_its_end_before_he_gives_up() -> None:
    assert Settings(max_parallel_tasks=1).removal_allowance_seconds > limits.LEAVE_SECONDS + 5
