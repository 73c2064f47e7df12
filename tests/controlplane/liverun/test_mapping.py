"""How many instances a mapped task gets, and when."""

from __future__ import annotations

from typing import Any

import pytest
from leoflow_agent.action import ListOf, Value, XCom
from leoflow_agent.spec import Expansion
from leoflow_controlplane.liverun.change import Added, Dropped
from leoflow_controlplane.liverun.facts import MISSING
from leoflow_controlplane.setting import read_settings
from scene import Scene, mapped, task


def test_one_instance_for_each_item_takes_the_place_of_the_one_for_all() -> None:
    scene = Scene(task("a"), mapped("b", "a"))
    scene.end("a", value=[1, 2, 3])
    assert scene.states()["b"] == ["scheduled"] * 3
    assert [type(change) for change in scene.changes[1:5]] == [Added, Added, Added, Dropped]


@pytest.mark.parametrize(
    ("expansion", "length"),
    [
        (Expansion({"x": Value([1, 2])}), 2),
        (Expansion({"x": Value({"k": 1})}), 1),
        (Expansion({"x": Value([1, 2]), "y": Value([1, 2, 3])}), 6),
        (Expansion({"x": ListOf((Value(1), XCom("a")))}), 2),
        (Expansion(listed=Value([{"x": 1}, {"x": 2}])), 2),
        (Expansion(listed=XCom("a")), 3),
        (Expansion({"x": XCom("a"), "y": XCom("a")}), 9),
    ],
)
def test_length(expansion: Expansion, length: int) -> None:
    scene = Scene(task("a"), task("b", "a", expansion=expansion))
    scene.end("a", value=[1, 2, 3])
    assert scene.states()["b"] == ["scheduled"] * length


def test_expanded_over_nothing_it_is_skipped_and_so_is_what_follows() -> None:
    scene = Scene(task("a"), mapped("b", "a"), mapped("c", "b"), task("d", "c"))
    scene.end("a", value=[])
    assert scene.states() == {"a": "success", "b": "skipped", "c": "skipped", "d": "skipped"}
    assert scene.reason("b") == "there is nothing to expand it over: the values are empty"
    assert scene.over == "success"


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("text", "what task 'a' returned, which is of type 'str'"),
        (MISSING, "what task 'a' returned, which is of type 'null'"),
        (7, "which is of type 'int': it has to be a list or a mapping"),
        ([0] * 5, "would be expanded to 5 instances, and max_map_length is 4"),
    ],
)
def test_what_it_cannot_be_expanded_over_fails_it(value: Any, says: str) -> None:
    scene = Scene(task("a"), mapped("b", "a", retries=3), max_map_length=4)
    scene.end("a", value=value)
    assert scene.state("b") == "failed"
    assert says in (scene.reason("b") or "")
    assert scene.over == "failed"


def test_how_many_instances_there_may_be_is_a_setting() -> None:
    assert read_settings({"LEOFLOW_MAX_MAP_LENGTH": "7"}).max_map_length == 7


def test_only_return_values_can_be_expanded_over() -> None:
    expansion = Expansion({"x": XCom("a", "other")})
    scene = Scene(task("a"), task("b", "a", expansion=expansion))
    scene.end("a")
    assert "the XCom 'other' of task 'a'" in (scene.reason("b") or "")


def test_of_a_mapped_task_those_count_that_left_a_value() -> None:
    scene = Scene(task("a"), mapped("b", "a"), mapped("c", "b", trigger_rule="all_done"))
    scene.end("a", value=[1, 2, 3, 4])
    scene.end(("b", 0), "success", "x")
    scene.end(("b", 1), "success")
    scene.end(("b", 2), "failed")
    assert scene.state("c") is None
    scene.end(("b", 3), "success", "y")
    assert scene.states()["c"] == ["scheduled"] * 2
    assert scene.run.succeeded("b") == [0, 1, 3]


def test_whatever_its_rule_it_waits_for_what_it_is_expanded_over() -> None:
    scene = Scene(task("a"), task("x"), mapped("b", "a", "x", trigger_rule="one_success"))
    scene.end("x")
    assert scene.state("b") is None
    scene.end("a", value=[1])
    assert scene.states()["b"] == ["scheduled"]


@pytest.mark.parametrize(
    ("state", "becomes"), [("failed", "upstream_failed"), ("skipped", "skipped")]
)
def test_what_did_not_end_well_cannot_be_expanded_over(state: str, becomes: str) -> None:
    scene = Scene(task("a"), mapped("b", "a", trigger_rule="all_done"))
    scene.end("a", state)
    assert scene.state("b") == becomes
    assert scene.reason("b") == f"nothing to expand it over: upstream 'a' {state}"


def test_a_rule_counts_all_instances() -> None:
    scene = Scene(task("a"), mapped("b", "a"), task("c", "b"))
    scene.end("a", value=[1, 2])
    scene.end(("b", 0))
    assert scene.state("c") is None
    scene.end(("b", 1), "failed")
    assert scene.state("c") == "upstream_failed"
    assert scene.reason("c") == (
        "trigger rule 'all_success' with upstream 'b' (1 failed, 1 success)"
    )


def test_cleared_and_expanded_to_fewer_the_rest_is_removed_and_counts_no_more() -> None:
    scene = Scene(task("a"), mapped("b", "a"), task("c", "b"))
    scene.end("a", value=[1, 2, 3])
    for index in range(3):
        scene.end(("b", index))
    scene.end("c")
    scene.clear("a", downstream=True)
    scene.begin()
    scene.end("a", value=[1])
    assert scene.states()["b"] == ["scheduled", "removed", "removed"]
    scene.end(("b", 0))
    assert scene.state("c") == "scheduled"


def test_cleared_and_expanded_to_more_the_new_ones_are_added() -> None:
    scene = Scene(task("a"), mapped("b", "a", retries=1))
    for values in ([1, 2], [1], [1, 2, 3]):
        if scene.over:
            scene.clear("a", downstream=True)
            scene.begin()
        scene.end("a", value=values)
        for index in range(len(values)):
            scene.end(("b", index))
    assert scene.states()["b"] == ["success"] * 3
    assert [item.try_number for item in scene.run.ledger.task("b").instances.values()] == [3, 2, 1]


def test_cleared_and_expanded_to_nothing_and_back() -> None:
    scene = Scene(task("a"), mapped("b", "a"), task("c", "b", trigger_rule="all_done"))
    for values in ([1, 2], [], [1]):
        if scene.over:
            scene.clear("a", downstream=True)
            scene.begin()
        scene.end("a", value=values)
        for index in range(len(values)):
            scene.end(("b", index))
        scene.end("c")
    assert dict(scene.run.ledger.task("b").instances).keys() == {0, 1}
    assert scene.states()["b"] == ["success", "removed"]


def test_a_single_instance_can_be_cleared() -> None:
    scene = Scene(task("a"), mapped("b", "a"))
    scene.end("a", value=[1, 2])
    scene.end(("b", 0), "failed")
    scene.end(("b", 1))
    scene.clear(("b", 0))
    scene.begin()
    assert scene.states()["b"] == ["scheduled", "success"]


def test_alone_it_is_expanded_over_what_was_given() -> None:
    scene = Scene(task("a"), mapped("b", "a"), selected="b", begun=False)
    scene.kept.values["a", -1] = [1, 2]
    scene.begin()
    assert scene.states() == {"b": ["scheduled"] * 2}
