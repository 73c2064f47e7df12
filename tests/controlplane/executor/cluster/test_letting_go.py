"""That the end of a Pod which was to end is told once its node has let go of it, or never will."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from executor_contract import end_of
from fakecalls import ENDED, FakeCluster, pod_status, running, terminated
from leoflow_controlplane.executor.cluster import limits
from leoflow_controlplane.executor.cluster.fault import Away
from leoflow_controlplane.verdict import Exit
from podground import STUCK, TINY, Open, begin, come, delay, deletions, launch_of


async def test_nothing_is_told_before_a_pod_that_was_given_up_is_gone(
    opened: Open, cluster: FakeCluster
) -> None:
    executor = await opened(**TINY)
    name = await delay(executor, cluster)
    live = executor._ends.live[name]
    await come(lambda: live.given_up and live.wait and live.wait.stage == "leave")
    assert not live.told.is_set()
    cluster.vanish(name)
    exit = (await end_of(executor)).exit
    assert (exit.reason or "").startswith("its container did not run within start_timeout_seconds")
    assert limits.FORCED not in (exit.reason or "")


MEANWHILE: dict[str, tuple[Mapping[str, Any], int | None, str]] = {
    "came to its own end": (terminated(0), 0, ""),
    "failed by itself": (terminated(3), 3, ""),
    "ran out of memory": (terminated(137, "OOMKilled"), 137, ""),
    "was ended with its Pod": (terminated(143), None, limits.BEGAN),
    "never was": (
        {"terminated": {"exitCode": 137, "reason": "ContainerStatusUnknown"}},
        None,
        "its container did not run",
    ),
}


@pytest.mark.parametrize(("state", "code", "words"), MEANWHILE.values(), ids=MEANWHILE.keys())
async def test_what_ran_all_the_same_is_told_for_what_it_did(
    opened: Open, cluster: FakeCluster, state: Mapping[str, Any], code: int | None, words: str
) -> None:
    executor = await opened(**TINY)
    name = await delay(executor, cluster)
    await come(lambda: "deletionTimestamp" in cluster.pods[name]["metadata"])
    cluster.play(name, pod_status("Failed" if code != 0 else "Succeeded", state))
    exit = (await end_of(executor)).exit
    assert exit.code == code
    assert words in (exit.reason or "")
    assert exit.machinery is bool(words)


async def test_a_node_that_never_confirms_is_not_waited_for_for_ever(
    opened: Open, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "LEAVE_SECONDS", 0.02)
    executor = await opened(**TINY)
    name = await delay(executor, cluster)
    exit = (await end_of(executor)).exit
    assert (exit.reason or "").startswith("its container did not run within start_timeout_seconds")
    assert (exit.reason or "").endswith(limits.FORCED)
    assert deletions(cluster) == [1, 0]
    assert name not in cluster.pods


async def test_a_deletion_whose_answer_is_lost_is_asked_for_again(
    opened: Open, cluster: FakeCluster
) -> None:
    executor = await opened(**TINY)
    cluster.faults["delete_pod"].append(Away("connection reset"))
    name = await begin(executor, cluster)
    cluster.play(name, STUCK)
    exit = (await end_of(executor)).exit
    assert "its container did not run" in (exit.reason or "")
    assert deletions(cluster) == [1, 1]


async def test_a_deletion_that_was_carried_out_and_is_asked_for_again_is_our_own(
    opened: Open, cluster: FakeCluster
) -> None:
    """As an HTTP client does by itself when the answer was lost: the second one finds it moved."""
    executor = await opened(**TINY)
    name = await begin(executor, cluster)

    def delete_first() -> None:
        cluster.pods[name]["metadata"]["deletionTimestamp"] = ENDED
        cluster.play(name, cluster.pods[name]["status"])

    cluster.before["delete_pod"] = delete_first
    cluster.play(name, STUCK)
    await come(lambda: "deletionTimestamp" in cluster.pods[name]["metadata"])
    await come(lambda: cluster.asked[-1][0] == "get_pod")
    cluster.vanish(name)
    assert "its container did not run" in ((await end_of(executor)).exit.reason or "")


async def test_a_pod_that_another_took_the_place_of_is_not_given_up_in_its_stead(
    opened: Open, cluster: FakeCluster
) -> None:
    executor = await opened(**TINY)
    name = await begin(executor, cluster)
    await come(lambda: cluster.watches)
    cluster.mute = True
    body = cluster.pods.pop(name)
    cluster.put({"metadata": {**body["metadata"], "uid": "of another"}})
    assert (await end_of(executor)).exit.loss == "deleted"
    await executor.remove(launch_of().key)
    assert name in cluster.pods
    assert not deletions(cluster)


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
        assert exit == Exit(None, reason=f"it was stopped. {limits.FORCED}")
    else:
        text = f"its Pod lost its node 'n1', which does not answer. {limits.FORCED}"
        assert exit == Exit(None, reason=text, machinery=True, loss="node")
