"""What `.partial()`, `.expand()` and `.expand_kwargs()` draw, and what they refuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from leoflow import DagError, dag, registry, task

pytestmark = pytest.mark.usefixtures("fresh_registry")


@task
def days() -> list[int]:
    return [1, 2]


@task(retries=2)
def load(day: int = 0, region: str = "") -> str:
    return f"{region}{day}"


def draw(body: Callable[[], Any]) -> dict[str, Any]:
    return dict(dag(body)().nodes)


def test_an_expanded_task_is_one_node() -> None:
    nodes = draw(lambda: load.expand(day=[1, 2]))
    assert list(nodes) == ["load"]
    assert nodes["load"].marks == {"expand": {"day": [1, 2]}}
    assert nodes["load"].options["retries"][0] == 2


def test_what_all_instances_share_is_partial() -> None:
    nodes = draw(lambda: load.partial(region="north").expand(day=days()))
    assert nodes["load"].kwargs == {"region": "north"}
    assert nodes["load"].marks["expand"]["day"].node is nodes["days"]


def test_options_are_overridden_before() -> None:
    nodes = draw(lambda: load.override(task_id="each", retries=5).expand(day=[1]))
    assert nodes["each"].options["retries"][0] == 5


def test_a_mapped_task_is_mapped_over_and_taken_whole() -> None:
    def body() -> None:
        first = load.expand(day=[1, 2])
        second = load.expand(region=first)
        first >> second >> load(region=second)

    nodes = draw(body)
    assert nodes["load__1"].marks["expand"]["region"].node is nodes["load"]
    assert nodes["load__2"].kwargs["region"].node is nodes["load__1"]


def test_bash_tasks_and_branches_are_expanded_too() -> None:
    @task.bash
    def show(n: int) -> str:
        return f"echo {n}"

    @task.branch
    def choose(n: int) -> None: ...

    nodes = draw(lambda: (show.expand(n=[1]), choose.expand_kwargs([{"n": 1}])))
    assert nodes["show"].kind == "bash"
    assert nodes["choose"].marks == {"expand_kwargs": [{"n": 1}]}


def test_a_list_changed_after_the_call_does_not_change_what_is_expanded_over() -> None:
    def body() -> None:
        rows = [1]
        load.expand(day=rows)
        rows.append(2)

    assert draw(body)["load"].marks == {"expand": {"day": [1]}}


def test_the_agent_finds_the_function_of_an_expanded_task() -> None:
    draw(lambda: load.expand(day=[1]))
    assert registry.function_of("load") is load.function


MISTAKES: dict[str, tuple[Callable[[], Any], str]] = {
    "positional": (lambda: load.expand([1]), ".expand() takes arguments by name"),
    "nothing": (lambda: load.expand(), ".expand() takes arguments by name, at least one"),
    "text": (lambda: load.expand(region="ab"), "'region' has to be a list, a dict or the result"),
    "number": (lambda: load.expand(day=3), "goes into .partial(day=…)"),
    "twice": (lambda: load.partial(day=1).expand(day=[1]), "remove one"),
    "twice in a list": (
        lambda: load.partial(day=1).expand_kwargs([{"day": 2}]),
        "'day' is given to .partial() and expanded over",
    ),
    "no list": (lambda: load.expand_kwargs({"day": 1}), ".expand_kwargs() takes one list of dicts"),
    "no dicts": (lambda: load.expand_kwargs([1]), ".expand_kwargs() takes one list of dicts"),
    "partial by position": (lambda: load.partial(1), ".partial() takes arguments by name"),
    "partial alone": (lambda: load.partial(day=1) >> days(), ".partial(…) alone makes no task"),
    "override after": (lambda: load.partial().override(), "Write .override(…) before .partial(…)"),
    "request": (lambda: task.http_api.expand(url=[]), "a request is written whole"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told_with_its_fix(name: str) -> None:
    body, message = MISTAKES[name]
    with pytest.raises(DagError) as caught:
        draw(body)
    assert message in caught.value.message
    assert caught.value.file == __file__


def test_outside_of_a_dag_nothing_is_expanded() -> None:
    with pytest.raises(DagError, match="outside of a DAG function"):
        load.expand(day=[1])


def test_a_reader_finds_the_next_mistake_too() -> None:
    registry.mistakes = []
    nodes = draw(lambda: (load.expand(day=1), load.partial(day=1).expand(day=[2])))
    assert len(registry.mistakes) == 2
    assert list(nodes) == ["load", "load__1"]
