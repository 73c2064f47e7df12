"""How runs go on: limits, order, the past, and what a step that fails leaves."""

from __future__ import annotations

import json

import pytest
from ground import KEY, Ground, make_book, make_plan, names, rows
from house import make_dag, make_task
from leoflow_agent.action import Value
from leoflow_agent.spec import Expansion, Webhook
from leoflow_controlplane.command import TaskSelection
from leoflow_controlplane.model import RunKey
from leoflow_controlplane.schema import webhooks
from leoflow_controlplane.steps import due, ending, intervention, report
from leoflow_controlplane.store import dag as table
from leoflow_controlplane.store.result import load_updates
from leoflow_controlplane.store.retention import Old, delete_some
from leoflow_controlplane.verdict import Exit


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


def test_a_task_is_let_on_by_a_past_that_was_over_and_is_cleared(ground: Ground) -> None:
    ground.register(make_dag(make_task("a", depends_on_past=True, retries=0)))
    (first,) = ground.trigger("one", logical_date="2026-01-01T00:00:00+00:00")
    assert ground.trigger("two", logical_date="2026-01-02T00:00:00+00:00") == []
    ground.finish(first, "failed")
    ground.step(ending.close_tries, [ending.End(first, Exit(1), {})], ground.now)
    assert RunKey("d", "one") not in ground.book.runs
    cleared = (TaskSelection(["a"]), False)
    ground.step(intervention.clear, RunKey("d", "one"), cleared, ground.now)
    (again,) = ground.handed_out()
    (second,) = ground.finish(again)
    assert second.run_id == "two"
    ground.finish(second)
    ground.step(ending.close_tries, [ending.End(k, Exit(0), {}) for k in (again, second)], 101.0)
    assert ground.book.size == 0


def test_a_past_that_was_deleted_meanwhile_holds_up_nobody(ground: Ground) -> None:
    """As retention deletes it: from the tables."""
    tasks = [make_task("a"), make_task("b", "a", depends_on_past=True, wait_for_downstream=True)]
    ground.register(make_dag(*tasks))
    (a,) = ground.trigger("one", logical_date="2026-01-01T00:00:00+00:00")
    (b,) = ground.finish(a)
    ground.finish(b)
    ground.step(ending.close_tries, [ending.End(k, Exit(0), {}) for k in (a, b)], ground.now)
    (again,) = ground.trigger("two", logical_date="2026-01-02T00:00:00+00:00")
    ground.read(table.delete_run, 1)
    assert names(ground.finish(again)) == ["b"]


def test_a_past_that_is_waited_for_is_not_deleted_because_it_is_old(ground: Ground) -> None:
    """The one who waits would look at the run before, but only once it is read again, and then
    nobody would let it on: it was failed as one that could not go on."""
    ground.register(make_dag(make_task("a", depends_on_past=True, retries=0)))
    (first,) = ground.trigger("one", logical_date="2026-01-01T00:00:00+00:00")
    ground.finish(first, "failed")
    ground.step(ending.close_tries, [ending.End(first, Exit(1), {})], ground.now)
    assert ground.trigger("two", logical_date="2026-01-02T00:00:00+00:00") == []
    old = Old("runs", ground.now + 1, ground.book.needs)
    assert ground.read(delete_some, old, [1], 100) == []
    ground.restart()
    asked = (TaskSelection(["a"]), "success", False)
    ground.step(intervention.set_task_state, RunKey("d", "one"), asked, ground.now)
    (second,) = ground.handed_out()
    ground.finish(second)
    ground.step(ending.close_tries, [ending.End(second, Exit(0), {})], ground.now)
    assert not ground.book.needs(1)


def test_who_waits_for_a_past_that_is_deleted_waits_for_the_one_before(ground: Ground) -> None:
    ground.register(make_dag(make_task("a", depends_on_past=True, retries=0)))
    keys = []
    for day, (run_id, state) in enumerate((("good", "success"), ("bad", "failed")), 1):
        (key,) = ground.trigger(run_id, logical_date=f"2026-01-{day:02}T00:00:00+00:00")
        ground.finish(key, state)
        ground.step(ending.close_tries, [ending.End(key, Exit(0), {})], ground.now)
        keys.append(key)
    assert ground.trigger("next", logical_date="2026-01-03T00:00:00+00:00") == []
    ground.step(intervention.delete_run, keys[1].run, ground.now)
    assert [key.run_id for key in ground.handed_out()] == ["next"]
    asked = (TaskSelection(["a"]), "failed", False)
    ground.step(intervention.set_task_state, keys[0].run, asked, ground.now)
    assert set(ground.book._followers) == {1}


def test_who_looked_back_is_not_remembered_for_good(ground: Ground) -> None:
    ground.register(make_dag(make_task("a", depends_on_past=True)))
    for day in range(1, 6):
        (key,) = ground.trigger(f"r{day}", logical_date=f"2026-01-{day:02}T00:00:00+00:00")
        ground.finish(key)
        ground.step(ending.close_tries, [ending.End(key, Exit(0), {})], ground.now)
    assert not ground.book.runs
    assert not ground.book._followers


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
