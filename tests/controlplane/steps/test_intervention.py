"""What people do to runs and their tasks: clear, mark, cancel, delete."""

from __future__ import annotations

import pytest
from ground import KEY, Ground, make_book, rows
from house import make_dag, make_task
from leoflow_controlplane.command import TaskSelection
from leoflow_controlplane.error import Conflict, NotFound
from leoflow_controlplane.model import RunKey
from leoflow_controlplane.schema import tries
from leoflow_controlplane.steps import ending, intervention, recovery, run
from leoflow_controlplane.verdict import Exit


def test_after_a_clear_a_task_is_told_which_try_is_its_last(ground: Ground) -> None:
    (first,) = ground.submit(make_task("a", retries=1))
    ground.finish(first)
    ground.step(ending.close_tries, [ending.End(first, Exit(0), {})], ground.now)
    ground.step(intervention.clear, KEY, (TaskSelection(["a"]), False), ground.now)
    assert [dispatch.max_tries for dispatch in ground.dispatches] == [2, 3]


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


def test_a_run_ends_once_however_often_it_is_looked_at(ground: Ground) -> None:
    """Whoever follows what steps lead to sends its trace then."""
    (key,) = ground.submit(make_task("a"))
    ground.finish(key)
    ground.step(ending.close_tries, [ending.End(key, Exit(0), {})], ground.now)
    assert ground.progress.done == [KEY]
    ground.step(intervention.clear, KEY, (TaskSelection(["a"]), True), ground.now)
    assert ground.progress.done == []
    marked = (TaskSelection(["a"]), "failed", True)
    ground.step(intervention.set_task_state, KEY, marked, ground.now)
    assert ground.progress.done == []
    ground.step(intervention.delete_run, KEY, ground.now)
    assert ground.progress.done == []
    assert not ground.book.runs


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
        ground.step(intervention.delete_run, KEY, ground.now)
    ground.step(ending.close_tries, [ending.End(key, Exit(143), {})], ground.now)
    ground.step(intervention.delete_run, KEY, ground.now)
    assert rows(ground, tries) == []
    with pytest.raises(NotFound):
        ground.step(intervention.delete_run, KEY, ground.now)


def test_a_run_of_another_process_is_left_alone(ground: Ground) -> None:
    ground.submit(make_task("a"))
    ground.book = make_book("other")
    with pytest.raises(Conflict, match="belongs to a 'leoflow run' process"):
        ground.step(intervention.set_run_state, KEY, "failed", ground.now)


def test_a_cancelled_run_is_cancelled_once(ground: Ground) -> None:
    (key,) = ground.submit(make_task("a"), make_task("b", "a"))
    ground.step(run.cancel, KEY, ground.now)
    assert [stop.key for stop in ground.progress.stops] == [key]
    ground.step(run.cancel, KEY, ground.now)
    assert not ground.progress.stops
    ground.step(run.cancel, RunKey("d", "no-such-run"), ground.now)
    assert ground.states() == {"a": "skipped", "b": "skipped"}
