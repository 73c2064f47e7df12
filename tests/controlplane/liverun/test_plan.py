"""The graph of a DAG by position."""

from __future__ import annotations

from leoflow_agent.spec import DagSpec, TaskSpec
from leoflow_controlplane.liverun.plan import Plan
from scene import mapped, task, teardown


def plan(*tasks: TaskSpec) -> Plan:
    return Plan.of(DagSpec("d", "3.11", tasks))


def names(of: Plan, positions: object) -> list[str]:
    return [of.tasks[number].task_id for number in sorted(positions)]  # type: ignore[call-overload]


DIAMOND = plan(task("a"), task("b", "a"), task("c", "a"), task("d", "b", "c"))


def test_what_is_above_and_below_is_found_however_far() -> None:
    assert names(DIAMOND, DIAMOND.below(0)) == ["b", "c", "d"]
    assert names(DIAMOND, DIAMOND.above(3)) == ["a", "b", "c"]
    assert names(DIAMOND, DIAMOND.below(1, 2)) == ["d"]


def test_the_leaves_are_what_nothing_is_below() -> None:
    assert names(DIAMOND, DIAMOND.leaves) == ["d"]


def test_a_teardown_is_no_leaf_and_what_is_above_it_is() -> None:
    made = plan(task("s", is_setup=True), task("w", "s"), teardown("t", "w", setups=["s"]))
    assert names(made, made.leaves) == ["w"]


def test_a_teardown_that_may_fail_the_run_is_a_leaf() -> None:
    made = plan(
        task("s", is_setup=True),
        task("w", "s"),
        teardown("t", "w", setups=["s"], on_failure_fail_dagrun=True),
    )
    assert names(made, made.leaves) == ["t"]


def test_of_a_dag_of_teardowns_the_last_is_the_leaf() -> None:
    made = plan(teardown("t", setups=[]), teardown("u", "t", setups=[]))
    assert names(made, made.leaves) == ["u"]


def test_setups_are_upstream_of_their_teardown_even_if_that_is_not_written() -> None:
    made = plan(task("s", is_setup=True), teardown("t", setups=["s"]))
    assert made.upstream[1] == (0,)


def test_what_a_task_is_expanded_over_is_upstream_of_it() -> None:
    made = plan(task("a"), task("b", expansion=mapped("x", "a").expansion))
    assert made.upstream[1] == (0,)
    assert made.sources[1] == (0,)


def test_in_the_scope_of_a_setup_is_what_is_before_its_teardown() -> None:
    made = plan(
        task("s", is_setup=True),
        task("w", "s"),
        task("x", "w"),
        teardown("t", "x", setups=["s"]),
        task("after", "x"),
    )
    assert names(made, made.scopes[0]) == ["w", "x"]
    assert names(made, made.scoped[0]) == ["x"]
    assert made.setups_around(2) == [0]


def test_in_the_scope_of_a_setup_without_teardown_is_all_below_it() -> None:
    made = plan(task("s", is_setup=True), task("w", "s"), task("x", "w"))
    assert names(made, made.scopes[0]) == ["w", "x"]


def test_a_task_alone_waits_for_nothing() -> None:
    alone = DIAMOND.alone("d")
    assert [item.task_id for item in alone.tasks] == ["d"]
    assert alone.upstream == ((),)
