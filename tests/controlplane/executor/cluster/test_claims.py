"""When claims are removed, and what is asked of whom may have none."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from fakecalls import FakeCalls, FakeCluster
from house import make_dag
from leoflow_controlplane.error import LaunchFailed
from leoflow_controlplane.executor.cluster import claims
from leoflow_controlplane.executor.cluster.calls import Object
from leoflow_controlplane.executor.cluster.claims import Claims
from leoflow_controlplane.executor.cluster.fault import Away, Forbidden, Refused
from leoflow_controlplane.executor.cluster.permission import FOR_STAGING
from leoflow_controlplane.pod.claim import make_claim
from podground import Open, begin, come, launch_of

NOT_OURS = Forbidden("persistentvolumeclaims is forbidden")


@pytest.fixture
def spawned() -> list[asyncio.Task[None]]:
    """What goes on by itself."""
    return []


@pytest.fixture
async def ours(cluster: FakeCluster, spawned: list[asyncio.Task[None]]) -> Claims:
    """Give the claims of ``cluster``."""
    return Claims(FakeCalls(cluster), lambda work: spawned.append(asyncio.create_task(work)))


async def test_what_cannot_be_removed_is_tried_again(
    cluster: FakeCluster, ours: Claims, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "AGAIN_SECONDS", 0.001)
    cluster.claims["c"] = {}
    cluster.faults["delete_claim"].extend([Away("connection refused")] * 2)
    await ours.remove(["c"])
    assert cluster.claims
    await come(lambda: not cluster.claims)


async def test_who_may_not_remove_one_does_not_ask_for_ever(
    cluster: FakeCluster, ours: Claims, spawned: list[asyncio.Task[None]]
) -> None:
    cluster.claims["c"] = {}
    cluster.faults["delete_claim"].append(NOT_OURS)
    await ours.remove(["c"])
    assert not spawned


async def test_nothing_is_asked_of_claims_where_no_dag_has_one(
    opened: Open, cluster: FakeCluster
) -> None:
    """Not even at the end of a run, and nobody is kept from starting by a right that he lacks."""
    executor = await opened()
    cluster.faults["list_claims"].append(NOT_OURS)
    assert await executor.adopt(set(), set()) == set()
    await begin(executor, cluster)
    await executor.end_run(launch_of().key.run)
    asked = {call[0] for call in cluster.asked if "claim" in call[0]}
    assert asked == {"list_claims"}


async def test_a_claim_whose_creation_was_not_answered_goes_with_its_run(
    opened: Open, cluster: FakeCluster
) -> None:
    executor = await opened()
    launch = launch_of(staging=1000)
    claim = make_claim(launch, executor._place)
    assert claim is not None
    name = claim["metadata"]["name"]
    cluster.before["create_claim"] = lambda: cluster.claims.update({name: dict(claim)})
    cluster.faults["create_claim"].extend([Away("no answer in time"), Refused("no more")])
    with pytest.raises(LaunchFailed):
        await executor.start(launch)
    await executor.end_run(launch.key.run)
    assert not cluster.claims


async def test_a_claim_that_is_being_created_as_its_run_ends_goes_once_it_is_there(
    opened: Open, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    executor, launch = await opened(), launch_of(staging=1000)
    asked, done, create = asyncio.Event(), asyncio.Event(), FakeCalls.create_claim

    async def create_late(calls: FakeCalls, body: Object) -> Object:
        asked.set()
        await done.wait()
        return await create(calls, body)

    monkeypatch.setattr(FakeCalls, "create_claim", create_late)
    starting = asyncio.create_task(executor.start(launch))
    await asked.wait()
    stopping = asyncio.create_task(executor.stop(launch.key, 1))
    await executor.end_run(launch.key.run)
    done.set()
    with pytest.raises(LaunchFailed):
        await starting
    await stopping
    await come(lambda: not cluster.claims)


async def test_a_run_that_goes_on_keeps_a_claim_that_could_not_be_removed_yet(
    cluster: FakeCluster,
    ours: Claims,
    spawned: list[asyncio.Task[None]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(claims, "AGAIN_SECONDS", 0.001)
    cluster.claims["c"] = {}
    cluster.faults["delete_claim"].append(Away("connection refused"))
    await ours.remove(["c"])
    with ours.coming({"name": "c"}):
        ours.note({"name": "c"})
    await asyncio.gather(*spawned)
    assert cluster.claims


async def test_a_dag_with_staging_is_told_which_rights_are_missing(
    opened: Open, cluster: FakeCluster
) -> None:
    executor = await opened()
    dag = make_dag()
    staging = replace(dag, staging_bytes=1000)
    cluster.denied = {*FOR_STAGING[:1]}
    assert await executor.find_lack(dag) is None
    words = await executor.find_lack(staging)
    assert "may not do in namespace 'runs' what it needs to: create persistentvolumeclaims" in (
        words or ""
    )
    cluster.denied.clear()
    # What is granted later is found, and then not asked for again.
    assert [await executor.find_lack(staging) for _ in range(2)] == [None, None]
    assert [call[0] for call in cluster.asked].count("find_missing") == 2
    cluster.faults["find_missing"].append(Away("connection refused"))
    assert await (await opened(owner=None)).find_lack(staging) is None
