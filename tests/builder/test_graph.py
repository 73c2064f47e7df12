"""The order of tasks, and circles."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from leoflow_builder.graph import find_cycle, in_topological_order

ids = st.integers(0, 7).map(str)
any_graph = st.dictionaries(ids, st.lists(ids, max_size=4), max_size=8).map(
    lambda graph: {task: [up for up in above if up in graph] for task, above in graph.items()}
)


def test_tasks_without_need_stay_as_written() -> None:
    assert in_topological_order({"c": [], "a": [], "b": ["c"]}) == ["c", "a", "b"]


def test_a_task_comes_after_what_it_waits_for() -> None:
    assert in_topological_order({"load": ["clean"], "clean": ["x"], "x": []}) == [
        "x",
        "clean",
        "load",
    ]


def test_a_circle_is_told_in_the_order_of_its_arrows() -> None:
    cycle = find_cycle({"a": ["c"], "b": ["a"], "c": ["b"], "d": ["c"], "e": []})
    assert cycle is not None
    start = cycle.index("a")
    assert cycle[start:] + cycle[:start] == ["a", "b", "c"]


def test_a_task_that_waits_for_itself_is_a_circle() -> None:
    assert find_cycle({"a": ["a"]}) == ["a"]


@given(any_graph)
def test_either_all_are_in_order_or_there_is_a_circle(graph: dict[str, list[str]]) -> None:
    order = in_topological_order(graph)
    for index, task in enumerate(order):
        assert set(graph[task]) <= set(order[:index])
    cycle = find_cycle(graph)
    assert (cycle is None) == (len(order) == len(graph))
    for position, task in enumerate(cycle or []):
        assert (cycle or [])[position - 1] in graph[task]
