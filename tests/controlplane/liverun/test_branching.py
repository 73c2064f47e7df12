"""Which way a run goes below a branch or a short circuit."""

from __future__ import annotations

from typing import Any

import pytest
from leoflow_agent.spec import TaskGroup
from leoflow_controlplane.liverun.facts import MISSING
from scene import Scene, mapped, task, teardown

FORK = (
    task("b", branch="branch"),
    task("x", "b"),
    task("y", "b"),
    task("join", "x", "y", trigger_rule="none_failed_min_one_success"),
)


@pytest.mark.parametrize(
    ("value", "x", "y", "join"),
    [
        ("x", "scheduled", "skipped", None),
        (["x"], "scheduled", "skipped", None),
        (["x", "y"], "scheduled", "scheduled", None),
        ([], "skipped", "skipped", "skipped"),
        (MISSING, "skipped", "skipped", "skipped"),
    ],
)
def test_what_a_branch_returns_goes_on(value: Any, x: str, y: str, join: str | None) -> None:
    scene = Scene(*FORK)
    scene.end("b", value=value)
    assert scene.states() == {"b": "success", "x": x, "y": y, "join": join}
    if y == "skipped":
        assert scene.reason("y") == "'b' did not choose to go on with it"


def test_what_is_also_reached_from_the_chosen_one_is_not_skipped() -> None:
    scene = Scene(task("b", branch="branch"), task("x", "b"), task("join", "b", "x"))
    scene.end("b", value="x")
    assert scene.state("join") is None
    scene.end("x")
    assert scene.state("join") == "scheduled"


def test_a_task_group_stands_for_its_first_tasks() -> None:
    scene = Scene(
        task("b", branch="branch"),
        task("g.x", "b"),
        task("bare", "b"),
        task("g.z", "g.x"),
        task("g.other", "b"),
        # A group says whether its name is part of those of what is in it.
        task_groups=(
            TaskGroup("g", task_ids=("g.x", "g.z")),
            TaskGroup("in", parent_group_id="g", task_ids=("bare",)),
        ),
    )
    scene.end("b", value="g")
    assert scene.state("g.x") == scene.state("bare") == "scheduled"
    assert scene.state("g.other") == "skipped"


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("join", "returned 'join', which is no task directly downstream of this one: those are "),
        ("nobody", "those are 'x', 'y'"),
        (7, "returned 7, which does not say which way to go"),
        (["x", None], "returned ['x', None], which does not say"),
        ({"x": 1}, "which does not say which way to go"),
    ],
)
def test_what_names_no_way_fails_the_branch(value: Any, says: str) -> None:
    scene = Scene(*FORK)
    scene.end("b", value=value)
    assert scene.state("b") == "failed"
    assert says in (scene.reason("b") or "")
    assert scene.state("x") == "upstream_failed"


def test_a_branch_that_returned_nonsense_is_tried_again() -> None:
    scene = Scene(task("b", branch="branch", retries=1), task("x", "b"))
    scene.end("b", value="nobody")
    assert scene.state("b") == "scheduled"
    scene.end("b", value="x")
    assert scene.state("x") == "scheduled"


def test_the_choice_holds_when_what_it_skipped_is_cleared() -> None:
    scene = Scene(
        task("b", branch="branch"), task("x", "b"), task("y", "b", trigger_rule="all_done")
    )
    scene.end("b", value="x")
    scene.end("x")
    scene.clear("y")
    scene.begin()
    assert scene.state("y") == "skipped"


def test_a_branch_that_was_marked_success_holds_nobody_up() -> None:
    scene = Scene(*FORK)
    scene.mark("success", "b")
    assert scene.state("x") == scene.state("y") == "scheduled"


def test_a_branch_that_was_marked_success_keeps_what_it_chose() -> None:
    scene = Scene(*FORK)
    scene.end("b", value="x")
    scene.mark("failed", "b")
    scene.clear("y")
    scene.mark("success", "b")
    assert scene.state("y") == "skipped"


def test_what_a_branch_would_skip_and_has_begun_goes_on() -> None:
    scene = Scene(
        task("a"), task("b", branch="branch"), task("x", "b", "a", trigger_rule="one_success")
    )
    scene.end("a")
    scene.start("x")
    scene.end("b", value=[])
    assert scene.state("x") == "running"


def test_what_a_branch_would_skip_and_has_not_begun_is_skipped() -> None:
    scene = Scene(
        task("a"), task("b", branch="branch"), task("x", "b", "a", trigger_rule="one_success")
    )
    scene.end("a")
    assert scene.state("x") == "scheduled"
    scene.end("b", value=[])
    assert scene.state("x") == "skipped"


CHAIN = (task("x", "s"), task("y", "x", trigger_rule="all_done"))


def test_a_short_circuit_skips_all_below_it() -> None:
    scene = Scene(task("s", branch="short_circuit"), *CHAIN)
    scene.end("s", value=0)
    assert scene.states() == {"s": "success", "x": "skipped", "y": "skipped"}


def test_a_short_circuit_can_leave_it_to_the_trigger_rules() -> None:
    scene = Scene(task("s", branch="short_circuit", respect_trigger_rules=True), *CHAIN)
    scene.end("s", value=False)
    assert scene.states() == {"s": "success", "x": "skipped", "y": "scheduled"}


@pytest.mark.parametrize("value", [True, 1, "text", [0]])
def test_a_short_circuit_that_is_true_goes_on(value: Any) -> None:
    scene = Scene(task("s", branch="short_circuit"), *CHAIN)
    scene.end("s", value=value)
    assert scene.state("x") == "scheduled"


def test_no_way_leads_around_a_teardown() -> None:
    scene = Scene(
        task("setup", is_setup=True),
        task("s", "setup", branch="short_circuit"),
        task("w", "s"),
        teardown("t", "w", "s", setups=["setup"]),
    )
    scene.end("setup")
    scene.end("s", value=False)
    assert scene.states() == {
        "setup": "success",
        "s": "success",
        "w": "skipped",
        "t": "scheduled",
    }


def test_each_instance_of_a_mapped_branch_speaks_for_the_one_below_it() -> None:
    scene = Scene(
        task("a"),
        mapped("b", "a", branch="short_circuit"),
        mapped("c", "a", "b"),
    )
    scene.end("a", value=[1, 2])
    scene.end(("b", 0), value=True)
    scene.end(("b", 1), value=False)
    assert scene.states()["c"] == ["scheduled", "skipped"]
