"""What is wrong in a DAG is told where it is written, with what to write instead."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from leoflow import DagError, dag, registry, task

pytestmark = pytest.mark.usefixtures("fresh_registry")


@task
def extract(n: int = 1) -> list[int]:
    return [n]


@task(retries=2)
def load(rows: Any, limit: int = 3) -> Any:
    return rows[:limit]


USES = {
    "tested for truth": lambda ref: bool(ref),
    "iterated over": lambda ref: list(ref),
    "indexed": lambda ref: ref["a"],
    "called": lambda ref: ref(),
    "compared": lambda ref: ref == 3,
    "put into text": lambda ref: f"echo {ref}",
    "taken for a number": lambda ref: int(ref),
    "calculated with": lambda ref: 1 + ref,
    "asked for its attribute 'shape'": lambda ref: ref.shape,
}


@pytest.mark.parametrize("use", USES)
def test_a_reference_is_no_value(use: str) -> None:
    @dag
    def weather() -> None:
        USES[use](extract())

    with pytest.raises(DagError) as caught:
        weather()
    assert f"the result of task 'extract' is {use}" in caught.value.message
    assert caught.value.file == __file__


def at(code: Any) -> DagError:
    """Return the error of a DAG function with the body ``code``."""
    with pytest.raises(DagError) as caught:
        dag(code)()
    return caught.value


def mistakes() -> dict[str, tuple[Any, str]]:
    return {
        "misspelt option": (
            lambda: extract.override(retrys=3),
            "does not know the argument 'retrys'. Did you mean 'retries'?",
        ),
        "Airflow's name": (
            lambda: extract.override(retry_delay=3),
            "'retry_delay' is 'retry_delay_seconds' here",
        ),
        "pool": (lambda: extract.override(pool="x"), "'pool' does not exist: each try has its own"),
        "dag option": (lambda: dag(sla_miss_callback=1), "does not know the argument 'sla_miss"),
        "old name": (lambda: dag(schedule_interval=1), "'schedule_interval' is 'schedule' here"),
        "class": (lambda: task(int), "@task makes tasks of functions, not of type"),
        "id in front": (lambda: task("extract"), "Options have names: @task(task_id=…)."),
        "decorator": (lambda: task.sensor, "task.sensor does not exist in leoflow"),
        "attribute": (lambda: extract.map(1), "has no attribute 'map'. It has: override, partial"),
        "not called": (lambda: extract() >> load, "write load() beside >> and <<"),
        "not a task": (lambda: extract() >> 3, "3 is not a task"),
        "no url": (lambda: task.http_api(task_id="a"), "task.http_api needs the argument 'url'"),
        "id not text": (lambda: extract.override(task_id=3)(), "task_id has to be text, not 3"),
    }


@pytest.mark.parametrize("name", mistakes())
def test_a_mistake_is_told_with_its_fix(name: str) -> None:
    code, message = mistakes()[name]
    error = at(code)
    assert message in error.message
    assert str(error).startswith(f"{Path(__file__).name}:{error.line}: ")


def test_a_task_id_used_twice_names_both_lines() -> None:
    @dag
    def weather() -> None:
        extract.override(task_id="a")()
        extract.override(task_id="a")()

    with pytest.raises(DagError, match=r"'a' is used twice, first at test_\w+.py:\d+") as e:
        weather()
    assert f"{Path(__file__).name}:{e.value.line - 1}" in e.value.message


def test_http_api_outside_of_a_dag_is_refused() -> None:
    with pytest.raises(DagError, match="outside of a DAG function"):
        task.http_api(task_id="a", url="http://x/")


def test_a_dag_inside_of_a_dag_is_refused() -> None:
    @dag
    def inner() -> None:
        extract()

    assert "called inside of another DAG function" in at(lambda: inner()).message


def test_mistakes_are_collected_when_a_reader_asks_for_all() -> None:
    registry.mistakes = []

    @task(retrys=1, pool="x")
    def odd() -> None: ...

    assert len(registry.mistakes) == 2
    assert odd() is None


def test_an_unknown_argument_of_the_dag_is_told_once_and_not_handed_on() -> None:
    registry.mistakes = []

    @dag(scedule="@daily", tags=["x"])  # type: ignore[call-overload]
    def weather() -> None:
        extract()

    assert registry.declared[-1].options == {"tags": ["x"]}
    (mistake,) = registry.mistakes
    assert "@dag does not know the argument 'scedule'. Did you mean 'schedule'?" in str(mistake)
