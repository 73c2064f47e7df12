"""Task groups: ids, nesting, and the ends of the arrows to and from them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from leoflow import DagError, TaskGroup, dag, registry, setup, task, task_group, teardown

pytestmark = pytest.mark.usefixtures("fresh_registry")


@task
def work(n: Any = 0) -> int:
    return 1


@task_group(tooltip="both halves")
def halves(n: Any = 0) -> None:
    work.override(task_id="a")(n) >> work.override(task_id="b")()


def draw(body: Callable[[], Any]) -> registry.Graph:
    return dag(body)()  # type: ignore[return-value]


def upstream(graph: registry.Graph) -> dict[str, list[str]]:
    return {name: [item.task_id for item in node.upstream] for name, node in graph.nodes.items()}


def test_a_groups_tasks_have_its_id_in_front() -> None:
    graph = draw(lambda: halves())
    assert list(graph.nodes) == ["halves.a", "halves.b"]
    assert [(one.group_id, one.tooltip) for one in graph.groups] == [("halves", "both halves")]


def test_calls_of_one_group_are_numbered_as_in_airflow() -> None:
    graph = draw(lambda: (halves(), halves(), halves.override(group_id="x")()))
    assert [one.group_id for one in graph.groups] == ["halves", "halves__1", "x"]
    assert list(graph.nodes)[2:] == ["halves__1.a", "halves__1.b", "x.a", "x.b"]


def test_groups_nest_and_close_again() -> None:
    def body() -> None:
        with TaskGroup("outer"):
            work()
            halves()
            work()
        work()

    graph = draw(body)
    assert list(graph.nodes) == [
        *("outer.work", "outer.halves.a", "outer.halves.b", "outer.work__1", "work"),
    ]
    assert [one.parent and one.parent.group_id for one in graph.groups] == [None, "outer"]


def test_a_group_without_prefix_leaves_the_ids_alone() -> None:
    def body() -> None:
        with TaskGroup("g", prefix_group_id=False) as group:
            work()
        assert [node.task_id for node in group.nodes] == ["work"]

    assert list(draw(body).nodes) == ["work"]


def test_arrows_go_to_the_first_tasks_and_come_from_the_last() -> None:
    def body() -> None:
        before, after = work(), work()
        before >> halves() >> [after]
        [work()] >> halves() << work()

    assert upstream(draw(body)) == {
        "work": [],
        "work__1": ["halves.b"],
        "halves.a": ["work"],
        "halves.b": ["halves.a"],
        "work__2": [],
        "halves__1.a": ["work__2", "work__3"],
        "halves__1.b": ["halves__1.a"],
        "work__3": [],
    }


def test_a_result_taken_in_a_group_is_an_arrow_in_it() -> None:
    def body() -> None:
        with TaskGroup("g") as group:
            work(work())
        work.override(task_id="first")() >> group >> work.override(task_id="last")()

    found = upstream(draw(body))
    assert (found["g.work"], found["g.work__1"]) == (["first"], [])
    assert found["last"] == ["g.work__1"]


def test_what_follows_a_group_does_not_wait_for_its_teardowns() -> None:
    @setup
    def make() -> None: ...

    @teardown
    def remove() -> None: ...

    def body() -> None:
        with TaskGroup("g") as group, remove().as_teardown(setups=make()):
            work()
        group >> work.override(task_id="last")()

    assert upstream(draw(body))["last"] == ["g.work"]


def test_a_group_function_gives_what_it_returns() -> None:
    @task_group
    def computed() -> Any:
        work()
        return work()

    graph = draw(lambda: work(computed()))
    assert graph.nodes["work"].args[0].node is graph.nodes["computed.work__1"]


def test_a_task_id_is_taken_once_in_each_group() -> None:
    def body() -> None:
        for name in "xy":
            with TaskGroup(name):
                work.override(task_id="same")()

    assert list(draw(body).nodes) == ["x.same", "y.same"]


MISTAKES: dict[str, tuple[Callable[[], Any], str]] = {
    "expand": (lambda: halves.expand(n=[1]), ".expand() is not supported: groups are not"),
    "attribute": (lambda: halves.map(1), "has no attribute 'map'. It has: override"),
    "not called": (lambda: work() >> halves, "task group 'halves' is not called: write halves()"),
    "empty": (lambda: work() >> TaskGroup("g"), "task group 'g' has no task yet"),
    "option": (lambda: TaskGroup("g", color="red"), "TaskGroup does not know the argument 'color'"),
    "id": (lambda: TaskGroup(3).__enter__(), "group_id has to be text, not 3"),
    "class": (lambda: task_group(int), "@task_group makes tasks of functions, not of type"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told_with_its_fix(name: str) -> None:
    body, message = MISTAKES[name]
    with pytest.raises(DagError) as caught:
        draw(body)
    assert message in caught.value.message


def test_a_group_outside_of_a_dag_is_refused() -> None:
    with pytest.raises(DagError, match="'halves' is outside of a DAG function"):
        halves()
