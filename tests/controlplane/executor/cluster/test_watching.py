"""That nothing is missed, whatever becomes of the watch, and that nobody is asked too often."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from executor_contract import end_of
from fakecalls import ENDED, FakeCalls, FakeCluster, pod_status, running, terminated
from leoflow_controlplane.executor.cluster import pace, tidying, watching
from leoflow_controlplane.executor.cluster.calls import OPENED, Event, Page
from leoflow_controlplane.executor.cluster.ends import Ends
from leoflow_controlplane.executor.cluster.fault import Broken, Refused, Throttled
from leoflow_controlplane.executor.protocol import Figures
from leoflow_controlplane.pod.slim import PodView
from leoflow_controlplane.verdict import Exit
from podground import Open, begin, come, launch_of


async def test_a_watch_that_is_cut_goes_on_where_it_was(opened: Open, cluster: FakeCluster) -> None:
    executor = await opened()
    name = await begin(executor, cluster)
    await come(lambda: cluster.watches)
    cluster.cut()
    await come(lambda: cluster.watches == 2)
    cluster.play(name, pod_status("Succeeded", terminated(0)))
    assert (await end_of(executor)).exit == Exit(0)
    assert [call for call in cluster.asked if call[0] == "list_pods"] == [("list_pods", "")]


async def test_a_version_that_is_too_old_is_answered_with_a_list(
    opened: Open, cluster: FakeCluster
) -> None:
    executor = await opened()
    names = [await begin(executor, cluster, number) for number in range(3)]
    await come(lambda: cluster.watches)
    cluster.mute = True
    cluster.play(names[0], pod_status("Succeeded", terminated(0)))
    cluster.vanish(names[1])
    cluster.forget_history()
    cluster.page_size, cluster.mute = 1, False
    cluster.cut()
    ends = [(await end_of(executor)).exit for _ in range(2)]
    text = "its Pod was deleted by somebody while it had not started yet"
    assert ends == [Exit(0), Exit(None, reason=text, machinery=True, loss="deleted")]


async def test_a_watch_that_says_nothing_is_not_relied_on(
    opened: Open, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "LIST_SECONDS", 0.01)
    executor = await opened()
    name = await begin(executor, cluster)
    cluster.mute = True
    cluster.play(name, pod_status("Failed", terminated(3)))
    assert (await end_of(executor)).exit == Exit(3)


async def test_a_list_that_fails_is_made_again_soon(
    opened: Open, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing else tells an end that came between the list of an adoption and the adoption."""
    monkeypatch.setattr(watching, "LIST_SECONDS", 3600.0)
    dead = await opened()
    name = await begin(dead, cluster)
    await dead.close(leave_running=True)
    heir = await opened()
    await come(lambda: cluster.watches == 2)
    cluster.mute = True
    await heir.adopt({launch_of().key}, set())
    cluster.vanish(name)
    cluster.faults["list_pods"].extend([Throttled("try again later", 1.0), Broken("etcd")])
    assert (await end_of(heir)).exit.loss == "deleted"


@pytest.mark.parametrize("while_listing", [True, False])
async def test_a_pod_that_went_before_its_creation_was_answered_is_missed(
    opened: Open, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch, while_listing: bool
) -> None:
    """The list from which a new watch goes on has it no more, and nobody looked after it yet."""
    monkeypatch.setattr(watching, "LIST_SECONDS", 3600.0)
    executor = await opened()
    await come(lambda: cluster.watches)
    created, listed = answer_late(monkeypatch, "create_pod"), answer_late(monkeypatch, "list_pods")
    cluster.mute = True
    starting = asyncio.create_task(executor.start(launch_of()))
    (name,) = await come(lambda: cluster.pods)
    cluster.vanish(name)
    cluster.forget_history()
    cluster.cut()
    await come(lambda: [call for call in cluster.asked if call[0] == "list_pods"][1:])
    if not while_listing:
        listed.set()
        await come(lambda: cluster.watches == 3)
    created.set()
    await starting
    listed.set()
    assert (await end_of(executor)).exit.loss == "deleted"


async def test_a_look_that_ends_late_does_not_hide_what_a_later_one_saw(
    cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls, older, newer = FakeCalls(cluster), asyncio.Event(), asyncio.Event()
    pages = [(older, "5"), (newer, "9")]

    async def list_pods(*_: str) -> Page:
        answered, version = pages.pop(0)
        await answered.wait()
        return Page([], version, "")

    monkeypatch.setattr(calls, "list_pods", list_pods)
    figures, tidy = Figures(), tidying.Tidying(calls, 100, may_remove_strays=False)
    watch = watching.Watch(calls, "", Ends(calls, figures), tidy, figures)
    first = asyncio.create_task(watch._reconcile())
    await come(lambda: len(pages) == 1)
    newer.set()
    await watch._reconcile()
    older.set()
    await first
    watch.look_for({"metadata": {"resourceVersion": "7"}})
    assert watch._look_now.is_set()


@pytest.mark.parametrize("end", ["gone", "ended"])
async def test_a_list_that_is_behind_the_watch_undoes_nothing(
    opened: Open, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    """Before the creation was answered, when nobody has judged yet what was told."""
    monkeypatch.setattr(watching, "LIST_SECONDS", 3600.0)
    executor = await opened()
    await come(lambda: cluster.watches)
    created = answer_late(monkeypatch, "create_pod")
    starting = asyncio.create_task(executor.start(launch_of()))
    (name,) = await come(lambda: cluster.pods)
    older, live = PodView.of(cluster.pods[name]), executor._ends.live[name]
    if end == "gone":
        cluster.vanish(name)
    else:
        cluster.play(name, pod_status("Succeeded", terminated(0)))
    await come(lambda: live.vanished_at or (live.view and live.view.phase == "Succeeded"))
    executor._ends.update(older)
    created.set()
    await starting
    exit = (await end_of(executor)).exit
    assert exit.loss == "deleted" if end == "gone" else exit == Exit(0)


def answer_late(monkeypatch: pytest.MonkeyPatch, call: str) -> asyncio.Event:
    """Hold the answers to a call back until the event that is given is set."""
    may_answer, make = asyncio.Event(), getattr(FakeCalls, call)

    async def make_late(*arguments: Any, **options: Any) -> Any:
        answer = await make(*arguments, **options)
        await may_answer.wait()
        return answer

    monkeypatch.setattr(FakeCalls, call, make_late)
    return may_answer


async def test_a_server_that_ends_watches_at_once_is_not_asked_all_the_time(
    opened: Open, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def end_at_once(*_: str) -> AsyncIterator[Event]:
        yield Event(OPENED, {})

    monkeypatch.setattr(pace, "PAUSES_SECONDS", (3600.0,))
    monkeypatch.setattr(cluster, "tell_from", end_at_once)
    await opened()
    await come(lambda: cluster.watches)
    for _ in range(20):
        await asyncio.sleep(0)
    assert cluster.watches == 1


async def test_who_may_not_watch_lists(
    opened: Open, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster.faults["watch_pods"].extend([Refused("pods is forbidden")] * 9999)
    executor = await opened()
    name = await begin(executor, cluster)
    cluster.play(name, pod_status("Failed", terminated(3)))
    assert (await end_of(executor)).exit == Exit(3)


async def test_a_pod_that_somebody_has_replaced_is_gone(
    opened: Open, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "LIST_SECONDS", 0.01)
    executor = await opened()
    name = await begin(executor, cluster)
    cluster.mute = True
    body = cluster.pods[name]
    cluster.vanish(name)
    cluster.put(body)
    cluster.play(name, pod_status("Running", running()))
    text = "its Pod was deleted by somebody while it had not started yet"
    assert (await end_of(executor)).exit == Exit(None, reason=text, machinery=True, loss="deleted")


async def test_a_pod_that_makes_no_sense_is_in_nobody_s_way(
    opened: Open, cluster: FakeCluster, caplog: pytest.LogCaptureFixture
) -> None:
    executor = await opened()
    name, odd = await begin(executor, cluster), await begin(executor, cluster, 2)
    cluster.play(odd, {"conditions": 7})
    cluster.play(name, pod_status("Succeeded", terminated(0)))
    assert (await end_of(executor)).exit == Exit(0)
    assert f"Pod '{odd}', as the API server tells it, makes no sense" in caplog.text
    # The token is in it.
    assert "LEOFLOW_WORKLOAD" not in caplog.text


async def test_an_earlier_pod_of_the_name_is_nobody(opened: Open, cluster: FakeCluster) -> None:
    executor = await opened()
    name = await begin(executor, cluster)
    old = {**cluster.pods[name], "status": pod_status("Failed", terminated(1))}
    old["metadata"] = {**old["metadata"], "uid": "another"}
    cluster._tell("DELETED", old)
    cluster.play(name, pod_status("Succeeded", terminated(0)))
    assert (await end_of(executor)).exit == Exit(0)


async def test_a_pod_that_is_nobody_s_goes_after_a_while(
    opened: Open, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "LIST_SECONDS", 0.005)
    monkeypatch.setattr(tidying, "STRAY_SECONDS", 0.02)
    dead = await opened()
    await dead.start(launch_of())
    await dead.close(leave_running=True)
    heir = await opened()
    await asyncio.sleep(0.05)
    # Whose it is is known only once the heir has adopted.
    assert cluster.pods
    await heir.adopt({launch_of(2).key}, set())
    await come(lambda: not cluster.pods)


async def test_a_pod_that_was_deleted_and_is_held_by_others_is_left_to_them(
    opened: Open, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "LIST_SECONDS", 0.005)
    monkeypatch.setattr(tidying, "STRAY_SECONDS", 0.0)
    dead = await opened()
    name = await begin(dead, cluster)
    await dead.close(leave_running=True)
    cluster.pods[name]["metadata"] |= {
        "finalizers": ["example.com/audit"],
        "deletionTimestamp": ENDED,
        "deletionGracePeriodSeconds": 0,
    }
    heir = await opened()
    heir._tidying.may_remove_strays = True
    await come(lambda: sum(call[0] == "list_pods" for call in cluster.asked) > 5)
    assert not any(call[0] == "delete_pod" for call in cluster.asked)
