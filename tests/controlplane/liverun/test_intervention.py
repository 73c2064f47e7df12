"""What people do to a run: clear, mark, cancel, end it by hand."""

from __future__ import annotations

from typing import Any

import pytest
from leoflow_controlplane.liverun.change import RunMoved
from leoflow_controlplane.liverun.instance import MARKED
from scene import Scene, mapped, task, teardown

A, B, C = task("a"), task("b", "a"), task("c", "b")
SCOPED = (
    task("s", is_setup=True),
    task("w", "s"),
    task("x", "w"),
    teardown("t", "x", setups=["s"]),
)


def test_cleared_a_finished_run_is_queued_and_goes_on_from_there() -> None:
    scene = Scene(A, B, C)
    scene.ends(a="success", b="failed")
    scene.clear("b", downstream=True)
    assert scene.states() == {"a": "success", "b": None, "c": None}
    assert scene.run.facts.state == "queued"
    assert scene.run.facts.finished_at is None
    scene.begin()
    scene.ends(b="success", c="success")
    assert scene.over == "success"


def test_tries_are_counted_on_and_as_many_retries_are_allowed_again() -> None:
    scene = Scene(task("a", retries=1))
    scene.ends(a="failed")
    scene.ends(a="failed")
    assert scene.over == "failed"
    scene.clear("a")
    scene.begin()
    for number in (3, 4):
        scene.end("a", "failed")
        assert scene.run.instance("a").try_number == number
    assert scene.over == "failed"


def test_what_is_cleared_waits_for_what_is_cleared_above_it() -> None:
    scene = Scene(A, B, task("late"))
    scene.end("a")
    assert scene.state("b") == "scheduled"
    scene.clear("a", "b")
    assert scene.states() == {"a": "scheduled", "b": None, "late": "scheduled"}


@pytest.mark.parametrize("begun", [True, False])
def test_what_runs_is_stopped_before_it_begins_anew(begun: bool) -> None:
    scene = Scene(A)
    scene.step(scene.run.hand_out("a", -1, scene.now))
    if begun:
        scene.step(scene.run.run("a", -1, scene.now))
    scene.clear("a")
    assert (scene.state("a"), scene.stopped()) == ("restarting", ["a"])
    assert scene.run.run("a", -1, scene.now) == []
    scene.clear("a")
    scene.end("a", "failed", retryable=False)
    assert scene.state("a") == "scheduled"
    scene.end("a")
    assert (scene.over, scene.run.instance("a").try_number) == ("success", 2)


def test_only_failed_ones_are_cleared_if_so_asked() -> None:
    scene = Scene(A, B, task("x"))
    scene.ends(a="failed", x="success")
    scene.clear(only_failed=True)
    assert scene.states() == {"a": None, "b": None, "x": "success"}


def test_nothing_to_clear_changes_nothing() -> None:
    scene = Scene(A)
    scene.end("a")
    scene.clear("a", only_failed=True)
    assert scene.changes == []
    assert scene.over == "success"


def test_with_a_task_its_setups_and_teardowns_are_cleared() -> None:
    scene = Scene(*SCOPED)
    scene.ends(s="success", w="success", x="failed", t="success")
    scene.clear("x")
    assert scene.states() == {"s": None, "w": "success", "x": None, "t": None}


def test_marked_success_what_waited_goes_on() -> None:
    scene = Scene(A, B)
    scene.start("a")
    scene.mark("success", "a")
    assert scene.stopped() == ["a"]
    assert scene.reason("a") == MARKED
    assert scene.state("b") == "scheduled"


def test_marked_success_what_failed_because_of_it_is_cleared() -> None:
    scene = Scene(A, B, C)
    scene.end("a", "failed")
    scene.mark("success", "a")
    assert scene.run.facts.state == "queued"
    scene.begin()
    assert scene.states() == {"a": "success", "b": "scheduled", "c": None}


@pytest.mark.parametrize(
    ("state", "below"), [("failed", "upstream_failed"), ("skipped", "skipped")]
)
def test_marked_otherwise_what_follows_follows(state: str, below: str) -> None:
    scene = Scene(A, B)
    scene.mark(state, "a")
    assert scene.states() == {"a": state, "b": below}


def test_marking_a_leaf_of_a_finished_run_leaves_the_run_as_it_is() -> None:
    scene = Scene(A)
    scene.end("a", "failed")
    scene.mark("success", "a")
    assert (scene.state("a"), scene.over) == ("success", "failed")


def test_all_instances_or_one_can_be_marked() -> None:
    scene = Scene(A, mapped("b", "a"))
    scene.end("a", value=[1, 2, 3])
    scene.mark("success", ("b", 1))
    assert scene.states()["b"] == ["scheduled", "success", "scheduled"]
    scene.mark("skipped", "b")
    assert scene.states()["b"] == ["skipped"] * 3


def test_marking_one_instance_leaves_the_others_of_its_task_alone() -> None:
    scene = Scene(A, mapped("b", "a"), task("c", "b"))
    scene.end("a", value=[1, 2])
    scene.end(("b", 0), "failed")
    scene.end(("b", 1), "failed")
    scene.mark("success", ("b", 1))
    scene.begin()
    assert scene.states() == {"a": "success", "b": ["failed", "success"], "c": "upstream_failed"}


def test_cancelled_nothing_starts_and_what_runs_is_stopped() -> None:
    scene = Scene(A, B, task("x", retries=1, retry_delay_seconds=60.0), task("y"))
    scene.start("a")
    scene.end("x", "failed")
    scene.step(scene.run.cancel(scene.now))
    assert scene.states() == {"a": "failed", "b": "skipped", "x": "skipped", "y": "skipped"}
    assert scene.stopped() == ["a"]
    assert scene.reason("b") == "the run was cancelled"
    assert scene.over == "failed"
    assert scene.run.facts.reason == "the run was cancelled"


def test_cancelled_before_it_began_a_run_is_over() -> None:
    scene = Scene(A, begun=False)
    scene.step(scene.run.cancel(scene.now, "not wanted"))
    assert scene.changes[-1] == RunMoved("failed", "not wanted", True)


def test_cancelled_what_was_set_up_is_cleaned_up() -> None:
    scene = Scene(*SCOPED)
    scene.end("s")
    scene.start("w")
    scene.step(scene.run.cancel(scene.now))
    assert scene.states() == {"s": "success", "w": "failed", "x": "skipped", "t": "scheduled"}
    assert scene.changes[-2:-1] == [RunMoved("running", "the run was cancelled", True)]
    scene.end("t")
    assert scene.over == "failed"
    assert scene.run.facts.reason == "the run was cancelled"


def test_cancelled_what_was_not_set_up_is_not_cleaned_up() -> None:
    scene = Scene(*SCOPED)
    scene.start("s")
    scene.step(scene.run.cancel(scene.now))
    assert scene.states() == {"s": "failed", "w": "skipped", "x": "skipped", "t": "skipped"}
    assert scene.over == "failed"


def test_a_cancelled_run_can_be_cleared() -> None:
    scene = Scene(A)
    scene.step(scene.run.cancel(scene.now))
    scene.clear()
    scene.begin()
    scene.end("a")
    assert (scene.over, scene.run.facts.cancelled) == ("success", False)


def test_a_run_that_is_marked_failed_is_cleaned_up_as_well() -> None:
    scene = Scene(*SCOPED)
    scene.ends(s="success")
    scene.step(scene.run.set_run_state("failed", scene.now))
    scene.end("t")
    assert (scene.over, scene.run.facts.reason) == ("failed", "the run was marked failed")


def test_a_run_that_is_marked_success_is_so_with_all_of_its_tasks() -> None:
    scene = Scene(A, B, task("x"))
    scene.ends(a="failed")
    scene.start("x")
    scene.step(scene.run.set_run_state("success", scene.now))
    assert scene.stopped() == ["x"]
    assert scene.states() == {"a": "success", "b": "success", "x": "success"}
    assert scene.over == "success"


def test_a_run_that_is_marked_success_is_cleaned_up() -> None:
    scene = Scene(*SCOPED)
    scene.end("s")
    scene.step(scene.run.set_run_state("success", scene.now))
    assert scene.state("t") == "scheduled"
    scene.end("t", "failed")
    assert scene.over == "success"


@pytest.mark.parametrize(("before", "after"), [("failed", "success"), ("success", "failed")])
def test_a_run_that_is_over_can_be_marked(before: str, after: Any) -> None:
    scene = Scene(A)
    scene.end("a", before)
    scene.step(scene.run.set_run_state(after, scene.now))
    assert scene.over == after


def test_a_run_that_is_queued_again_runs_all_of_its_tasks_again() -> None:
    scene = Scene(A, B)
    scene.ends(a="success", b="success")
    scene.step(scene.run.set_run_state("queued", scene.now))
    scene.begin()
    assert scene.states() == {"a": "scheduled", "b": None}
