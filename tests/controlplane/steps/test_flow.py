"""How runs go on: limits, order, mapped tasks, the past, pauses, and what is forgotten."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ground import KEY, Ground, make_book, make_plan
from house import make_call, make_dag, make_task
from leoflow_agent.action import PythonAction, Value, XCom
from leoflow_agent.spec import Expansion, TaskSpec, Webhook
from leoflow_controlplane.command import TaskSelection
from leoflow_controlplane.error import Conflict, NotFound
from leoflow_controlplane.model import RunKey, TryKey
from leoflow_controlplane.schema import journal, task_instances, tries, webhooks, xcoms
from leoflow_controlplane.steps import (
    calling,
    dag,
    due,
    ending,
    intervention,
    recovery,
    report,
    run,
)
from leoflow_controlplane.store.result import load_updates
from leoflow_controlplane.verdict import Exit, Verdict
from sqlalchemy import select


def names(keys: list[TryKey]) -> list[str]:
    return [key.task_id if key.map_index < 0 else f"{key.task_id}[{key.map_index}]" for key in keys]


def rows(ground: Ground, table: Any) -> list[Any]:
    return ground.read(lambda connection: list(connection.execute(select(table))))


def test_a_run_goes_on_from_what_is_in_the_tables(durable: Ground) -> None:
    """Every step on a memory that was just read leads to the same as on one that was kept."""
    tries_again = make_task("a", retries=1, retry_delay_seconds=5.0)
    (first,) = durable.submit(tries_again, make_task("b", "a"), make_task("c", "b"))
    durable.restart()
    assert durable.finish(first, "failed") == []
    durable.restart()
    durable.step(due.come_due, (), 105.0)
    second = durable.handed_out()
    assert second == [first._replace(try_number=2)]
    durable.restart()
    durable.step(ending.close_tries, [ending.End(first, Exit(1), {"started": 1.0})], durable.now)
    durable.restart()
    (third,) = durable.finish(second[0], value={"é": [1]})
    durable.restart()
    assert durable.dispatches[-1].inputs["args"] == [{"é": [1]}]
    (fourth,) = durable.finish(third, value="x")
    durable.restart()
    assert durable.finish(fourth) == []
    assert durable.states() == {"a": "success", "b": "success", "c": "success"}
    assert durable.result().state == "success"
    for key in (second[0], third, fourth):
        durable.restart()
        durable.step(ending.close_tries, [ending.End(key, Exit(0), {})], durable.now)
    assert not durable.book.runs
    updates, _, over = durable.read(load_updates, KEY, 0)
    assert over
    assert [u.text for u in updates if u.task_id is None] == ["queued", "running", "success"]


def test_what_is_over_is_not_remembered(ground: Ground) -> None:
    (key,) = ground.submit(make_task("a", depends_on_past=True))
    ground.finish(key)
    ground.step(ending.close_tries, [ending.End(key, Exit(0), {})], 101.0)
    assert not ground.book.runs
    assert not ground.book.tries
    assert not ground.book.runs_by_pk
    assert ground.book.size == 0


def test_no_more_than_fit_are_handed_out_and_the_first_comes_first(ground: Ground) -> None:
    ground.book = make_book(max_parallel_tasks=2)
    first = ground.submit(*(make_task(f"t{n}") for n in range(5)))
    assert names(first) == ["t0", "t1"]
    assert names(ground.finish(first[1])) == ["t2"]
    assert names(ground.finish(first[0])) == ["t3"]


def test_a_dag_has_no_more_tasks_at_once_than_it_says(ground: Ground) -> None:
    tasks = [make_task(f"t{n}") for n in range(3)]
    first = ground.submit(*tasks, max_active_tasks=2)
    assert len(first) == 2
    assert ground.submit(*tasks, plan=make_plan("second"), max_active_tasks=2) == []
    assert ground.submit(make_task("x"), dag_id="other")[0].dag_id == "other"
    assert [key.run_id for key in ground.finish(first[0])] == ["r"]
    assert [key.run_id for key in ground.finish(first[1])] == ["second"]


@pytest.mark.parametrize(
    ("limit", "runs"),
    [("max_active_tis_per_dag", ["r", "r"]), ("max_active_tis_per_dagrun", ["r", "second", "r"])],
)
def test_a_task_runs_no_more_often_at_once_than_it_says(
    ground: Ground, limit: str, runs: list[str]
) -> None:
    mapped = make_task("m", expansion=Expansion({"x": Value([1, 2, 3])}), **{limit: 1})
    first = ground.submit(mapped, make_task("free"))
    assert names(first) == ["free", "m[0]"] or names(first) == ["m[0]", "free"]
    ground.submit(mapped, plan=make_plan("second"))
    handed = [key for key in first if key.task_id == "m"] + ground.handed_out()
    first_run_only = handed[:1]
    more = ground.finish(handed.pop(0))
    assert [key.run_id for key in [*first_run_only, *handed, *more]] == runs
    handed += more
    while handed:
        handed += ground.finish(handed.pop())
    assert set(ground.states("second").values()) == {"success"}


def test_runs_of_a_dag_wait_for_one_another(ground: Ground) -> None:
    ground.register(make_dag(make_task("a"), max_active_runs=1))
    (first,) = ground.trigger("one")
    assert ground.trigger("two") == []
    assert ground.result("two").state == "queued"
    ground.restart()
    assert [key.run_id for key in ground.finish(first)] == ["two"]
    assert ground.result("two").state == "running"


def test_a_new_version_is_for_new_runs(ground: Ground) -> None:
    ground.register(make_dag(make_task("a"), make_task("b", "a")))
    (old,) = ground.trigger("old")
    ground.register(make_dag(make_task("a"), make_task("c", "a")), image="new")
    (new,) = ground.trigger("new")
    assert names(ground.finish(old)) == ["b"]
    assert names(ground.finish(new)) == ["c"]
    assert (ground.result("old").image, ground.result("new").image) == ("i", "new")


def test_a_paused_dag_starts_nothing(ground: Ground) -> None:
    ground.register(make_dag(make_task("a"), make_task("b", "a")))
    (first,) = ground.trigger("one")
    ground.step(dag.pause_dag, "d", True, ground.now)
    assert ground.trigger("two") == []
    assert ground.finish(first) == []
    ground.restart()
    ground.step(dag.pause_dag, "d", False, ground.now)
    assert sorted(names(ground.handed_out())) == ["a", "b"]


def test_a_dag_is_forgotten_when_its_runs_are_over(durable: Ground) -> None:
    durable.register(make_dag(make_task("a")))
    (key,) = durable.trigger()
    with pytest.raises(Conflict, match="has a run that is not over"):
        durable.step(dag.delete_dag, "d", durable.now)
    durable.finish(key, value=1)
    durable.step(ending.close_tries, [ending.End(key, Exit(0), {})], durable.now)
    durable.step(dag.delete_dag, "d", durable.now)
    for table in (task_instances, tries, journal, xcoms):
        assert rows(durable, table) == []
    with pytest.raises(NotFound, match="there is no DAG 'd'"):
        durable.trigger()


def test_a_mapped_task_runs_once_for_each_value(durable: Ground) -> None:
    action = PythonAction("dag", kwargs={"fixed": Value("y")})
    mapped = make_task("m", "a", action=action, expansion=Expansion({"x": XCom("a")}))
    (first,) = durable.submit(make_task("a"), mapped, make_task("sum", "m"))
    handed = durable.finish(first, value=["p", "q", "r"])
    assert names(handed) == ["m[0]", "m[1]", "m[2]"]
    assert [d.inputs["kwargs"] for d in durable.dispatches[-3:]] == [
        {"fixed": "y", "x": value} for value in "pqr"
    ]
    durable.restart()
    durable.finish(handed[2], value=30)
    durable.finish(handed[0], value=10)
    durable.report(handed[1], {"seq": 1, "type": "finished", "state": "success", "exit_code": 0})
    assert names(durable.handed_out()) == ["sum"]
    # One that left nothing is left out.
    assert durable.dispatches[-1].inputs["args"] == [[10, 30]]
    assert durable.step(report.give_inputs, durable.handed_out()[0])[1]["args"] == [[10, 30]]
    place = [(row.task_id, row.map_index) for row in rows(durable, task_instances)]
    assert ("m", -1) not in place


def test_what_failed_or_was_removed_is_no_part_of_what_a_mapped_task_returned(
    ground: Ground,
) -> None:
    mapped = make_task("m", "a", retries=0, expansion=Expansion({"x": XCom("a")}))
    again = make_task("n", "m", expansion=Expansion({"x": XCom("m")}), trigger_rule="all_done")
    (first,) = ground.submit(make_task("a"), mapped, again)
    handed = ground.finish(first, value=[1, 2, 3])
    ground.finish(handed[0], "failed", value="of a failure")
    ground.finish(handed[1], value="p")
    assert names(ground.finish(handed[2], value="q")) == ["n[0]", "n[1]"]
    assert [d.inputs["args"] for d in ground.dispatches[-2:]] == [[["p", "q"]]] * 2
    assert [d.inputs["kwargs"] for d in ground.dispatches[-2:]] == [{"x": "p"}, {"x": "q"}]


def test_after_a_clear_a_task_is_told_which_try_is_its_last(ground: Ground) -> None:
    (first,) = ground.submit(make_task("a", retries=1))
    ground.finish(first)
    ground.step(ending.close_tries, [ending.End(first, Exit(0), {})], ground.now)
    ground.step(intervention.clear, KEY, (TaskSelection(["a"]), False), ground.now)
    assert [dispatch.max_tries for dispatch in ground.dispatches] == [2, 3]


def test_what_cannot_be_expanded_fails_and_says_why(ground: Ground) -> None:
    (first,) = ground.submit(
        make_task("a"), make_task("m", "a", expansion=Expansion({"x": XCom("a")}))
    )
    ground.finish(first, value=7)
    task = ground.result().tasks[1]
    assert task.state in ("failed", "upstream_failed")
    assert "cannot be expanded over what task 'a' returned" in str(task.reason)


def test_a_task_waits_for_its_past(ground: Ground) -> None:
    ground.register(make_dag(make_task("a", depends_on_past=True, retries=0)))
    (first,) = ground.trigger("one", logical_date="2026-01-01T00:00:00+00:00")
    assert ground.trigger("two", logical_date="2026-01-02T00:00:00+00:00") == []
    ground.restart()
    ground.finish(first, "failed")
    assert ground.states("two") == {"a": None}
    ground.step(ending.close_tries, [ending.End(first, Exit(1), {})], ground.now)
    ground.restart()
    selection = TaskSelection(["a"])
    asked = (selection, "success", False)
    ground.step(intervention.set_task_state, RunKey("d", "one"), asked, ground.now)
    assert [key.run_id for key in ground.handed_out()] == ["two"]


def test_clearing_opens_a_run_again(durable: Ground) -> None:
    durable.register(make_dag(make_task("a", retries=1), make_task("b", "a")))
    (a,) = durable.trigger()
    (b,) = durable.finish(a)
    durable.finish(b)
    for key in (a, b):
        durable.step(ending.close_tries, [ending.End(key, Exit(0), {})], durable.now)
    chosen, _ = durable.step(intervention.clear, KEY, (TaskSelection(["b"]), True), durable.now)
    assert [ref.task_id for ref in chosen] == ["b"]
    assert not durable.book.runs
    durable.step(intervention.clear, KEY, (TaskSelection(["b"]), False), durable.now)
    assert durable.handed_out() == [b._replace(try_number=2)]
    assert durable.result().state == "running"
    assert durable.finish(durable.handed_out()[0]) == []
    assert durable.result().state == "success"


def test_a_task_that_is_cleared_while_it_runs_is_stopped_and_begins_anew(ground: Ground) -> None:
    (key,) = ground.submit(make_task("a"))
    ground.report(key, {"seq": 1, "type": "started"})
    ground.step(intervention.clear, KEY, (TaskSelection(["a"]), False), ground.now)
    assert [stop.key for stop in ground.progress.stops] == [key]
    assert ground.states() == {"a": "restarting"}
    assert ground.report(key)["terminate"]
    ground.report(key, {"seq": 2, "type": "finished", "state": "failed", "exit_code": 1})
    assert ground.handed_out() == [key._replace(try_number=2)]


def test_no_try_begins_before_the_one_that_was_stopped_is_gone(durable: Ground) -> None:
    (key,) = durable.submit(make_task("a"))
    durable.report(key, {"seq": 1, "type": "started"})
    durable.step(run.cancel, KEY, durable.now)
    durable.step(intervention.clear, KEY, (TaskSelection(["a"]), False), durable.now)
    assert (durable.handed_out(), durable.states()) == ([], {"a": "scheduled"})
    durable.restart()
    gone, _ = durable.step(recovery.recover, (), durable.now)
    assert (gone, durable.handed_out()) == ([key], [])
    durable.step(ending.close_tries, [ending.End(key, Exit(143), {})], durable.now)
    assert durable.handed_out() == [key._replace(try_number=2)]


def test_who_waits_for_a_container_to_go_takes_no_place_from_others(ground: Ground) -> None:
    mapped = make_task(
        "m", expansion=Expansion({"x": Value([1, 2])}), max_active_tis_per_dag=1, retries=0
    )
    (first,) = ground.submit(mapped)
    marked = (TaskSelection([("m", 0)]), "failed", False)
    ground.step(intervention.set_task_state, KEY, marked, ground.now)
    (second,) = ground.handed_out()
    cleared = (TaskSelection([("m", 0)]), False)
    ground.step(intervention.clear, KEY, cleared, ground.now)
    assert names(ground.finish(second)) == []
    ground.step(ending.close_tries, [ending.End(first, Exit(143), {})], ground.now)
    assert names(ground.handed_out()) == ["m[0]"]


@pytest.mark.parametrize("first", ["clear", "stop"])
def test_a_task_is_marked_whose_container_is_going(durable: Ground, first: str) -> None:
    (key,) = durable.submit(make_task("a"))
    durable.report(key, {"seq": 1, "type": "started"})
    if first == "clear":
        durable.step(intervention.clear, KEY, (TaskSelection(["a"]), False), durable.now)
    else:
        durable.step(ending.close_tries, [ending.End(key, Exit(1), {})], durable.now)
    asked = (TaskSelection(["a"]), "success", False)
    durable.step(intervention.set_task_state, KEY, asked, durable.now)
    durable.restart()
    for gone in durable.step(recovery.recover, (), durable.now)[0]:
        durable.step(ending.close_tries, [ending.End(gone, Exit(1), {})], durable.now)
        durable.step(ending.settle, gone, (Exit(1), None, None), durable.now)
    assert (durable.states(), durable.result().state) == ({"a": "success"}, "success")
    assert not durable.book.runs


def test_a_run_that_is_marked_ends_and_its_tries_are_stopped(ground: Ground) -> None:
    (key,) = ground.submit(make_task("a"), make_task("b", "a"))
    ground.report(key, {"seq": 1, "type": "started"})
    ground.step(intervention.set_run_state, KEY, "failed", ground.now)
    assert [stop.key for stop in ground.progress.stops] == [key]
    assert ground.result().state == "failed"
    with pytest.raises(Conflict, match="is ending"):
        ground.step(intervention.delete_run, KEY)
    ground.step(ending.close_tries, [ending.End(key, Exit(143), {})], ground.now)
    ground.step(intervention.delete_run, KEY)
    assert rows(ground, tries) == []
    with pytest.raises(NotFound):
        ground.step(intervention.delete_run, KEY)


def test_a_run_of_another_process_is_left_alone(ground: Ground) -> None:
    ground.submit(make_task("a"))
    ground.book = make_book("other")
    with pytest.raises(Conflict, match="belongs to a 'leoflow run' process"):
        ground.step(intervention.set_run_state, KEY, "failed", ground.now)


def test_a_run_takes_no_longer_than_it_may(ground: Ground) -> None:
    (key,) = ground.submit(make_task("a"), dagrun_timeout_seconds=50.0)
    assert ground.progress.next_due == 150.0
    ground.restart()
    ground.step(due.come_due, (), 150.0)
    assert ground.result().state == "failed"
    assert [stop.key for stop in ground.progress.stops] == [key]


def test_webhooks_are_kept_with_the_end_that_they_tell_of(durable: Ground) -> None:
    hook = (Webhook(url="http://h/x"),)
    task = make_task("a", retries=0, on_failure=hook, on_success=hook)
    (key,) = durable.submit(task, on_failure=(Webhook(connection="c"),))
    durable.finish(key, "failed")
    of_task, of_run = rows(durable, webhooks)
    assert (of_task.url, of_run.connection) == ("http://h/x", "c")
    body = json.loads(of_task.body)
    assert (body["dag_id"], body["run_id"], body["task_id"]) == ("d", "r", "a")
    assert (body["state"], body["try_number"], body["map_index"]) == ("failed", 1, -1)
    assert body["start_date"] == body["end_date"] == "1970-01-01T00:01:40+00:00"
    assert json.loads(of_run.body)["task_id"] is None


def test_a_try_whose_agent_was_never_seen_is_started_again_as_the_same(ground: Ground) -> None:
    (key,) = ground.submit(make_task("a", retries=0))
    ground.restart()
    gone, _ = ground.step(recovery.recover, (), ground.now)
    assert (gone, ground.handed_out()) == ([], [key])
    assert ground.dispatches[0] == ground.dispatches[1]
    assert len(rows(ground, tries)) == 1


def test_a_try_whose_agent_was_seen_and_that_is_gone_has_failed(ground: Ground) -> None:
    (key,) = ground.submit(make_task("a", retries=1, retry_delay_seconds=5.0))
    ground.report(key, {"seq": 1, "type": "started"})
    ground.restart()
    gone, _ = ground.step(recovery.recover, (), ground.now)
    assert (gone, ground.handed_out()) == ([key], [])
    assert ground.step(recovery.recover, {key}, ground.now)[0] == []
    open_ones = ground.step(recovery.find_open)
    assert (open_ones.tries, open_ones.runs) == ({key}, {KEY})
    end = (Exit(None, reason="gone"), None, None)
    ground.step(ending.close_tries, [ending.End(key, end[0], {})], ground.now)
    ground.step(ending.settle, key, end, ground.now)
    assert ground.states() == {"a": "up_for_retry"}


@pytest.mark.parametrize(
    ("method", "anew", "state"),
    [("GET", True, "running"), ("POST", False, "running"), ("POST", True, "failed")],
)
def test_a_call_that_a_crash_interrupted_is_made_again_if_that_can_do_no_harm(
    ground: Ground, method: str, anew: bool, state: str
) -> None:
    key = begin_call(ground, make_call(method=method, retries=0))
    ground.restart()
    ground.step(recovery.recover, (), ground.now, anew=anew)
    assert ground.states() == {"h": state}
    assert ground.handed_out() == ([] if state == "failed" else [key])
    if state != "failed":
        told = calling.Told(key, ground.now, (), Verdict("success"), "1")
        ground.step(calling.move_calls, [told], 1, ground.now)
        assert ground.result().tasks[0].return_value == 1
    assert not ground.book.runs


def begin_call(ground: Ground, task: TaskSpec) -> TryKey:
    """Make a run of one call, which begins."""
    assert ground.submit(task) == []
    assert ground.progress.calls_wait
    ground.step(calling.move_calls, (), 1, ground.now)
    (key,) = ground.handed_out()
    return key


def test_calls_begin_a_few_in_a_step_and_no_more_than_there_are_places_for(
    ground: Ground,
) -> None:
    ground.book = make_book(max_inline_calls=3)
    ground.submit(*(make_call(task_id=f"h{n}") for n in range(6)))
    ground.step(calling.move_calls, (), 2, ground.now)
    first = ground.handed_out()
    assert (names(first), ground.progress.calls_wait) == (["h0", "h1"], True)
    ground.step(calling.move_calls, (), 2, ground.now)
    assert (names(ground.handed_out()), ground.progress.calls_wait) == (["h2"], False)
    told = [calling.Told(key, ground.now, ["said"], Verdict("success"), "1") for key in first]
    ground.step(calling.move_calls, told, 5, ground.now)
    assert (names(ground.handed_out()), ground.progress.calls_wait) == (["h3", "h4"], False)


def test_a_call_whose_dag_has_no_place_does_not_ask_for_steps(ground: Ground) -> None:
    ground.submit(*(make_call(task_id=f"h{n}") for n in range(2)), max_active_tasks=1)
    ground.step(calling.move_calls, (), 5, ground.now)
    assert (names(ground.handed_out()), ground.progress.calls_wait) == (["h0"], False)


def test_a_call_that_was_told_to_stop_fails_for_the_reason_that_it_was_told(
    ground: Ground,
) -> None:
    key = begin_call(ground, make_call(retries=3))
    ground.step(run.cancel, KEY, ground.now)
    assert [stop.key for stop in ground.progress.stops] == [key]
    told = calling.Told(key, ground.now, (), Verdict("failed", "stopped", retryable=False))
    ground.step(calling.move_calls, [told], 1, ground.now)
    assert ground.result().tasks[0].reason == "the run was cancelled"
    assert not ground.book.runs


def test_a_step_that_fails_in_the_middle_leaves_nothing(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    (key,) = ground.submit(make_task("a"), make_task("b", "a"))
    before = ground.states()

    def break_down(*_: object) -> None:
        raise LookupError("in the middle")

    with monkeypatch.context() as patch:
        patch.setattr(report, "give_verdict", break_down)
        with pytest.raises(LookupError, match="in the middle"):
            ground.finish(key)
    assert ground.states() == before
    assert names(ground.finish(key)) == ["b"]


def test_a_cancelled_run_is_cancelled_once(ground: Ground) -> None:
    (key,) = ground.submit(make_task("a"), make_task("b", "a"))
    ground.step(run.cancel, KEY, ground.now)
    assert [stop.key for stop in ground.progress.stops] == [key]
    ground.step(run.cancel, KEY, ground.now)
    assert not ground.progress.stops
    ground.step(run.cancel, RunKey("d", "no-such-run"), ground.now)
    assert ground.states() == {"a": "skipped", "b": "skipped"}
