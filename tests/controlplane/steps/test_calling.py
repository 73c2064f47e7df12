"""Inline calls: how many begin in a step, and what came of them."""

from __future__ import annotations

from ground import KEY, Ground, begin_call, make_book, names
from house import make_call
from leoflow_controlplane.steps import calling, run
from leoflow_controlplane.verdict import Verdict


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
