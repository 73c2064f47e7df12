"""Setups and teardowns, and what `with teardown:` puts between them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from leoflow import DagError, dag, registry, setup, task, teardown

pytestmark = pytest.mark.usefixtures("fresh_registry")


@setup
def make() -> str:
    return "table"


@teardown
def remove() -> None: ...


@task
def work(n: Any = 0) -> int:
    return 1


def draw(body: Callable[[], Any]) -> registry.Graph:
    return dag(body)()  # type: ignore[return-value]


def upstream(graph: registry.Graph) -> dict[str, set[str]]:
    return {name: {item.task_id for item in node.upstream} for name, node in graph.nodes.items()}


def test_decorators_mark_functions_and_tasks() -> None:
    @teardown(on_failure_fail_dagrun=True)
    @task(retries=3)
    def clean() -> None: ...

    @task.setup(retries=1)
    def prepare() -> None: ...

    nodes = draw(lambda: (make(), remove(), clean(), prepare(), work())).nodes
    marks = {name: node.marks for name, node in nodes.items()}
    assert marks == {
        "make": {"setup": True},
        "remove": {"teardown": False},
        "clean": {"teardown": True},
        "prepare": {"setup": True},
        "work": {},
    }
    assert nodes["clean"].options["retries"][0] == 3
    assert nodes["prepare"].options["retries"][0] == 1


def test_a_call_is_made_a_teardown_of_its_setups() -> None:
    def body() -> None:
        work() >> work.override(task_id="clean")().as_teardown(
            setups=work.override(task_id="make")(), on_failure_fail_dagrun=True
        )

    graph = draw(body)
    assert upstream(graph)["clean"] == {"work", "make"}
    assert graph.nodes["clean"].marks == {"teardown": True}
    assert graph.nodes["make"].marks == {"setup": True}


def test_as_teardown_keeps_what_the_decorator_says() -> None:
    @teardown(on_failure_fail_dagrun=True)
    def clean() -> None: ...

    nodes = draw(lambda: clean().as_teardown(setups=[make(), work().as_setup()])).nodes
    assert nodes["clean"].marks == {"teardown": True}
    assert nodes["work"].marks == {"setup": True}


def test_what_one_call_is_does_not_change_the_others() -> None:
    nodes = draw(lambda: (work().as_setup(), work())).nodes
    assert nodes["work__1"].marks == {}


def test_with_puts_tasks_between_setup_and_teardown() -> None:
    def body() -> None:
        with remove().as_teardown(setups=make()):
            work.override(task_id="a")() >> work.override(task_id="b")()
            work.override(task_id="c")()
        work()

    found = upstream(draw(body))
    assert (found["a"], found["b"], found["c"]) == ({"make"}, {"a"}, {"make"})
    assert found["remove"] == {"make", "b", "c"}
    assert found["work"] == set()


def test_with_stands_before_a_chain_and_before_a_setup_alone() -> None:
    def body() -> None:
        with make() >> remove():
            work()
        with make():
            work()

    found = upstream(draw(body))
    assert found["remove"] == {"make", "work"}
    assert found["work__1"] == {"make__1"}


def test_the_inner_one_is_cleaned_up_first() -> None:
    def body() -> None:
        inner = work.override(task_id="inner_make")
        with remove().as_teardown(setups=make()):
            clean = work.override(task_id="inner_remove")().as_teardown(setups=inner())
            with clean:
                work()

    found = upstream(draw(body))
    assert found["inner_make"] == {"make"}
    assert "inner_remove" in found["remove"]


def test_with_is_refused_before_any_other_task() -> None:
    def body() -> None:
        with work():
            work()

    with pytest.raises(DagError, match="task 'work' is neither"):
        draw(body)


def test_outside_of_a_dag_they_are_plain_functions() -> None:
    assert make() == "table"
