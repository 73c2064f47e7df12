"""What the executor of a cluster promises; the cluster is a fake."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

import pytest
from executor_contract import end_of
from fakecalls import FakeCluster, pod_status, running, terminated
from leoflow_agent.podoption import PodOptions
from leoflow_controlplane.error import LaunchFailed
from leoflow_controlplane.executor.cluster import leftover
from leoflow_controlplane.executor.cluster.calls import Page
from leoflow_controlplane.executor.cluster.fault import Away, QuotaExceeded, Refused, Throttled
from leoflow_controlplane.kubernetessetting import KubernetesSettings
from leoflow_controlplane.model import RunKey
from leoflow_controlplane.verdict import Exit
from podground import Open, come, launch_of, name_of

KEEP_NOTHING = KubernetesSettings(
    create_rate=10_000, keep_finished_seconds=0, keep_failed_seconds=0
)


async def test_a_pod_is_created_and_its_end_is_told(opened: Open, cluster: FakeCluster) -> None:
    executor = await opened()
    instants = await executor.start(launch_of())
    assert set(instants) == {"created"}
    (name,) = cluster.pods
    assert (executor.figures.started, executor.figures.running) == (1, 1)
    cluster.play(name, pod_status("Running", running()))
    cluster.play(name, pod_status("Succeeded", terminated(0)))
    ended = await end_of(executor)
    assert (ended.key, ended.exit) == (launch_of().key, Exit(0))
    assert (ended.started_at or 0) + 1 == ended.ended_at
    assert executor.figures.running == 0


async def test_an_end_is_told_once(opened: Open, cluster: FakeCluster) -> None:
    executor = await opened()
    await executor.start(launch_of())
    (name,) = cluster.pods
    cluster.play(name, pod_status("Failed", terminated(3)))
    cluster.play(name, pod_status("Failed", terminated(3)))
    cluster.vanish(name)
    await executor.start(launch_of(2))
    other = next(iter(cluster.pods))
    cluster.play(other, pod_status("Failed", terminated(4)))
    assert [(await end_of(executor)).exit.code for _ in range(2)] == [3, 4]


async def test_a_pod_that_ended_before_its_creation_was_answered_is_told(
    opened: Open, cluster: FakeCluster
) -> None:
    executor = await opened()
    launch = launch_of()
    # The answer is lost, and the Pod runs meanwhile.
    cluster.faults["create_pod"].append(Away("cut off"))
    starting = asyncio.create_task(executor.start(launch))
    await come(lambda: cluster.asked.count(("create_pod", name_of(cluster))))
    await starting
    cluster.play(name_of(cluster), pod_status("Succeeded", terminated(0)))
    assert (await end_of(executor)).exit == Exit(0)


async def test_a_try_is_not_started_twice(opened: Open, cluster: FakeCluster) -> None:
    executor = await opened()
    await asyncio.gather(executor.start(launch_of()), executor.start(launch_of()))
    assert await executor.start(launch_of()) == {}
    assert [call[0] for call in cluster.asked].count("create_pod") == 1
    assert executor.figures.started == 1


async def test_a_pod_that_is_stopped_gets_its_grace(opened: Open, cluster: FakeCluster) -> None:
    executor = await opened()
    await executor.start(launch_of())
    (name,) = cluster.pods
    cluster.play(name, pod_status("Running", running()))
    await come(lambda: executor._ends.live[name].ran)
    cluster.deaf.add(name)
    stopping = asyncio.create_task(executor.stop(launch_of().key, 7.2))
    await come(lambda: ("delete_pod", name, 8) in cluster.asked)
    cluster.play(name, pod_status("Failed", terminated(143)))
    assert (await end_of(executor)).exit == Exit(143)
    await stopping


async def test_a_pod_without_a_node_is_stopped(opened: Open, cluster: FakeCluster) -> None:
    executor = await opened()
    await executor.start(launch_of())
    cluster.faults["delete_pod"].append(Away("refused"))
    await executor.stop(launch_of().key, 0)
    assert (await end_of(executor)).exit == Exit(None, reason="it was stopped")


async def test_that_a_pod_may_not_be_stopped_is_told_once(
    opened: Open, cluster: FakeCluster, caplog: pytest.LogCaptureFixture
) -> None:
    executor = await opened()
    await executor.start(launch_of())
    cluster.faults["delete_pod"].extend([Refused("it is protected")] * 3)
    await executor.stop(launch_of().key, 0)
    assert [line for line in caplog.messages if "cannot be stopped" in line] == [
        f"Pod '{name_of(cluster)}' cannot be stopped yet: it is protected"
    ]
    assert not cluster.pods


async def test_a_start_that_waits_can_be_stopped(opened: Open, cluster: FakeCluster) -> None:
    executor = await opened()
    cluster.faults["create_pod"].extend(QuotaExceeded("exceeded quota: pods") for _ in range(9999))
    starting = asyncio.create_task(executor.start(launch_of()))
    await come(lambda: ("create_pod", name_of(cluster)) in cluster.asked)
    await executor.stop(launch_of().key, 0)
    with pytest.raises(LaunchFailed, match="stopped before"):
        await starting
    assert not cluster.pods


async def test_what_is_not_there_can_be_stopped_and_removed(opened: Open) -> None:
    executor = await opened()
    await executor.stop(launch_of().key, 0)
    await executor.remove(launch_of().key)


async def test_the_tail_and_the_verdict_are_read_from_the_pod(
    opened: Open, cluster: FakeCluster
) -> None:
    executor = await opened()
    key = launch_of().key
    await executor.start(launch_of())
    (name,) = cluster.pods
    assert await executor.log_tail(key) is None
    cluster.logs[name] = "out of luck"
    cluster.play(name, pod_status("Failed", terminated(7, message="the verdict")))
    await end_of(executor)
    assert await executor.log_tail(key) == "out of luck"
    assert await executor.left_verdict(key) == b"the verdict"
    cluster.faults["read_log"].append(Away("gone"))
    assert await executor.log_tail(key) is None
    await executor.remove(key)
    assert await executor.left_verdict(key) is None


@pytest.mark.parametrize(("code", "kept"), [(0, False), (1, True)])
async def test_a_pod_that_failed_is_kept_for_longer(
    opened: Open, cluster: FakeCluster, code: int, kept: bool
) -> None:
    settings = KubernetesSettings(keep_finished_seconds=0, keep_failed_seconds=3600)
    executor = await opened(settings=settings)
    await executor.start(launch_of())
    (name,) = cluster.pods
    cluster.play(name, pod_status("Failed" if code else "Succeeded", terminated(code)))
    await end_of(executor)
    await executor.remove(launch_of().key)
    if not kept:
        await come(lambda: not cluster.pods)
        await come(lambda: not executor._tidying.is_leaving(name))
    assert bool(executor._tidying.is_leaving(name)) is kept


async def test_what_was_left_running_is_adopted(opened: Open, cluster: FakeCluster) -> None:
    dead = await opened()
    launches = [launch_of(number) for number in range(3)]
    for launch in launches:
        await dead.start(launch)
    names = {
        pod["metadata"]["annotations"]["leoflow.dev/task-id"]: name
        for name, pod in cluster.pods.items()
    }
    await dead.close(leave_running=True)
    cluster.play(names["t1"], pod_status("Succeeded", terminated(0)))
    cluster.page_size = 1
    heir = await opened(settings=KEEP_NOTHING)
    cluster.faults["list_pods"].append(Away("restarting"))
    wanted = {launches[0].key, launches[1].key, launch_of(9).key}
    assert await heir.adopt(wanted, set()) == {launches[0].key, launches[1].key}
    assert (heir.figures.adopted, heir.figures.running) == (2, 1)
    assert (await end_of(heir)).key == launches[1].key
    # What is not wanted is gone.
    await come(lambda: names["t2"] not in cluster.pods)
    assert await heir.adopt(wanted, set()) == set()
    assert await heir.start(launches[0]) == {}


async def test_an_end_between_the_list_and_the_adoption_is_told(
    opened: Open, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = await opened()
    await dead.start(launch_of())
    (name,) = cluster.pods
    await dead.close(leave_running=True)
    heir = await opened()
    await come(lambda: cluster.watches == 2)
    page = cluster.page

    def page_of_yore(selector: str, rest: str) -> Page:
        monkeypatch.setattr(cluster, "page", page)
        listed = page(selector, rest)
        cluster.mute = True
        cluster.play(name, pod_status("Failed", terminated(3)))
        return listed

    monkeypatch.setattr(cluster, "page", page_of_yore)
    assert await heir.adopt({launch_of().key}, set()) == {launch_of().key}
    assert (await end_of(heir)).exit == Exit(3)


async def test_a_pod_that_failed_and_is_kept_outlives_its_server(
    opened: Open, cluster: FakeCluster
) -> None:
    dead = await opened()
    await dead.start(launch_of())
    (name,) = cluster.pods
    await dead.close(leave_running=True)
    cluster.play(name, pod_status("Failed", terminated(1)))
    heir = await opened(settings=KubernetesSettings(keep_failed_seconds=1e9))
    assert await heir.adopt(set(), set()) == set()
    assert heir._tidying.is_leaving(name)
    assert not [call for call in cluster.asked if call[0] == "delete_pod"]


async def test_a_run_s_claim_is_created_once_and_removed_with_the_run(
    opened: Open, cluster: FakeCluster
) -> None:
    executor = await opened()
    await executor.start(launch_of(1, staging=1000))
    await executor.start(launch_of(2, staging=1000))
    assert [call[0] for call in cluster.asked].count("create_claim") == 1
    assert len(cluster.claims) == 1
    await executor.end_run(launch_of().key.run)
    assert not cluster.claims
    await executor.start(launch_of(3, staging=1000))
    assert len(cluster.claims) == 1


async def test_a_claim_with_artifacts_outlives_its_run_until_that_is_deleted(
    opened: Open, cluster: FakeCluster
) -> None:
    """Whatever becomes of the process: they are for people, who come later."""
    dead = await opened()
    launch = launch_of(1, staging=1000, run_leaves_artifacts=True)
    await dead.start(launch)
    run, place = launch.key.run, dead.place_of_artifacts(launch.key)
    await dead.end_run(run)
    await dead.close()
    heir = await opened()
    await heir.adopt(set(), set())
    (name,) = cluster.claims
    assert f"claim {name} (namespace" in place
    known, asked = [run], list[set[RunKey]]()

    async def find(runs: Collection[RunKey]) -> Collection[RunKey]:
        asked.append(set(runs))
        return known

    await heir.prune(find)
    assert list(cluster.claims) == [name]
    known.clear()
    await heir.prune(find)
    assert not cluster.claims
    assert asked == [{run}, {run}]


async def test_the_claim_of_an_unfinished_run_outlives_its_server(
    opened: Open, cluster: FakeCluster
) -> None:
    dead = await opened()
    launch = launch_of(1, staging=1000)
    await dead.start(launch)
    await dead.close(leave_running=True)
    heir = await opened()
    await heir.adopt({launch.key}, {launch.key.run})
    assert len(cluster.claims) == 1
    await heir.start(launch_of(2, staging=1000))
    await heir.adopt(set(), set())
    assert not cluster.claims


async def test_what_dead_processes_left_is_swept(opened: Open, cluster: FakeCluster) -> None:
    dead, server = await opened(owner="0123dead"), await opened()
    await dead.start(launch_of(1, staging=1000))
    await server.start(launch_of(2))
    await dead.close(leave_running=True)
    other = await opened(owner=None)
    await other.start(launch_of(3))
    swept = await other.sweep()
    assert [line.split()[0] for line in swept] == ["Pod", "claim"]
    await come(lambda: len(cluster.pods) == 2)
    assert not cluster.claims
    assert await other.sweep() == []


async def test_closing_removes_all_that_was_started(opened: Open, cluster: FakeCluster) -> None:
    executor = await opened(owner=None)
    for number in range(3):
        await executor.start(launch_of(number, staging=1000))
    cluster.page_size = 2
    await executor.close()
    assert not cluster.pods
    assert not cluster.claims


async def test_closing_leaves_nothing_because_an_api_server_is_busy(
    opened: Open, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leftover, "CLOSE_SECONDS", 0.01)
    executor = await opened(owner=None)
    for number in range(3):
        await executor.start(launch_of(number, staging=1000))
    busy = Throttled("too many requests", 0.001)
    cluster.faults["delete_pod"].extend([busy, Refused("not this one"), busy])
    await executor.close()
    assert not cluster.pods
    assert not cluster.claims


async def test_closing_does_not_wait_for_what_a_finalizer_holds(
    opened: Open, cluster: FakeCluster, caplog: pytest.LogCaptureFixture
) -> None:
    executor = await opened(owner=None)
    await executor.start(launch_of())
    (name,) = cluster.pods
    cluster.pods[name]["metadata"]["finalizers"] = ["example.com/audit"]
    cluster.deaf.add(name)
    await executor.close()
    assert ("delete_pod", name, 0) not in cluster.asked
    assert caplog.messages == [
        f"Pod '{name}' is deleted, and stays until example.com/audit is done with it"
    ]


async def test_closing_removes_by_force_what_a_node_does_not_end(
    opened: Open, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leftover, "CLOSE_SECONDS", 0.01)
    executor = await opened(owner=None)
    for number in range(2):
        await executor.start(launch_of(number))
    deaf = name_of(cluster)
    cluster.deaf.add(deaf)
    cluster.asked.clear()
    await executor.close()
    assert not cluster.pods
    forced = [call[1] for call in cluster.asked if call[0] == "delete_pod" and call[2] == 0]
    assert forced == [deaf]


async def test_what_a_cluster_would_drop_is_a_refusal(opened: Open, cluster: FakeCluster) -> None:
    executor = await opened()
    cluster.drops = "tolerations"
    options = PodOptions(tolerations=({"operator": "Exists"},))
    refusal = await executor.find_refusal(launch_of(kubernetes=options))
    assert "it would drop spec.tolerations without a word" in (refusal or "")


async def test_the_cluster_is_asked_about_a_pod_without_creating_it(
    opened: Open, cluster: FakeCluster
) -> None:
    executor = await opened()
    assert await executor.find_refusal(launch_of()) is None
    cluster.faults["create_pod"].extend([Refused("violates PodSecurity"), Away("off")])
    assert await executor.find_refusal(launch_of()) == "violates PodSecurity"
    assert await executor.find_refusal(launch_of()) is None
    assert not cluster.pods
