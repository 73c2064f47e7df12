"""When Pods are removed that nobody waits for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from fakecalls import FakeCalls, FakeCluster
from leoflow_controlplane.executor.cluster import tidying
from leoflow_controlplane.executor.cluster.fault import Away, Refused
from leoflow_controlplane.executor.cluster.tidying import Seen, Tidying
from podground import come


@pytest.fixture
async def tidy(cluster: FakeCluster) -> AsyncIterator[Tidying]:
    """Give a Tidying of ``cluster``."""
    made = Tidying(FakeCalls(cluster), 10_000, may_remove_strays=True)
    tasks: list[asyncio.Task[None]] = []
    made.open(lambda work: tasks.append(asyncio.create_task(work)))
    yield made
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def put(cluster: FakeCluster, *names: str) -> None:
    """Store Pods of these names."""
    for name in names:
        cluster.put({"metadata": {"name": name}})


async def test_each_goes_when_its_time_has_come(cluster: FakeCluster, tidy: Tidying) -> None:
    put(cluster, "late", "soon", "now")
    tidy.remove_later("late", "", 3600)
    tidy.remove_later("soon", "", 0.02)
    tidy.remove_later("now", "", 0)
    await come(lambda: set(cluster.pods) == {"late"})
    assert [call[1] for call in cluster.asked] == ["now", "soon"]
    assert tidy.is_leaving("late")


async def test_many_go_at_once(
    cluster: FakeCluster, tidy: Tidying, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tidying, "BATCH_SIZE", 3)
    names = [f"p{number}" for number in range(10)]
    put(cluster, *names)
    for name in names:
        tidy.remove_now(name)
    await come(lambda: not cluster.pods)


async def test_what_cannot_be_removed_is_tried_again(cluster: FakeCluster, tidy: Tidying) -> None:
    put(cluster, "p")
    cluster.faults["delete_pod"].extend([Away("connection refused")] * 2)
    tidy.remove_now("p")
    await come(lambda: not cluster.pods)


async def test_a_pod_that_took_the_place_of_another_stays(
    cluster: FakeCluster, tidy: Tidying
) -> None:
    put(cluster, "p")
    uid = cluster.pods["p"]["metadata"]["uid"]
    cluster.pods.clear()
    put(cluster, "p")
    tidy.remove_now("p", uid)
    await come(lambda: cluster.asked and not tidy.is_leaving("p"))
    assert "p" in cluster.pods


async def test_what_is_gone_is_not_removed(cluster: FakeCluster, tidy: Tidying) -> None:
    tidy.remove_later("p", "", 0.01)
    tidy.forget("p")
    await asyncio.sleep(0.03)
    assert not cluster.asked


async def test_a_stray_that_does_not_go_is_forced(
    cluster: FakeCluster, tidy: Tidying, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tidying, "STRAY_SECONDS", 0.0)
    put(cluster, "stray", "stuck")
    uids = {name: cluster.pods[name]["metadata"]["uid"] for name in cluster.pods}
    seen = {"stray": Seen(uids["stray"], False), "stuck": Seen(uids["stuck"], True)}
    tidy.look({**seen, "known": Seen("u", False)}, {"known"})
    await come(lambda: not cluster.pods)
    assert {call[1:] for call in cluster.asked} == {("stray", 1), ("stuck", 0)}


async def test_a_pod_that_others_hold_is_told_of_once_and_let_be(
    cluster: FakeCluster,
    tidy: Tidying,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(tidying, "STRAY_SECONDS", 0.0)
    put(cluster, "held", "free")
    uids = {name: cluster.pods[name]["metadata"]["uid"] for name in cluster.pods}
    held = {"held": Seen(uids["held"], True, ("example.com/audit",))}
    for _ in range(3):
        tidy.look(held, set())
    assert caplog.messages == [
        "Pod 'held' is deleted, and stays until example.com/audit is done with it"
    ]
    tidy.look({**held, "free": Seen(uids["free"], False)}, set())
    await come(lambda: "free" not in cluster.pods)
    assert [call[1] for call in cluster.asked] == ["free"]


async def test_what_cannot_be_removed_is_told_of_once(
    cluster: FakeCluster, tidy: Tidying, caplog: pytest.LogCaptureFixture
) -> None:
    put(cluster, "p")
    denied = Refused('admission webhook "guard" denied the request')
    cluster.faults["delete_pod"].extend([denied] * 4)
    tidy.remove_now("p")
    await come(lambda: not cluster.pods)
    assert len(caplog.messages) == 1


def test_what_cannot_be_removed_is_tried_less_and_less_often(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tidying, "AGAIN_SECONDS", 5.0)
    waits = [tidying.wait_after(failures) for failures in (0, 1, 2, 3, 4, 5000)]
    assert waits == [5, 10, 20, 40, 60, 60]


async def test_who_was_asked_to_go_is_known_until_it_is_gone(
    cluster: FakeCluster, tidy: Tidying
) -> None:
    put(cluster, "p")
    tidy.remove_now("p")
    await come(lambda: not cluster.pods)
    assert tidy.is_leaving("p")
    tidy.look({}, set())
    assert not tidy.is_leaving("p")
