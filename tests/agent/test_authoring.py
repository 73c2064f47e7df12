"""What `from leoflow import dag, task` draws, and what it refuses."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from leoflow import dag, registry, task

AGENT = Path(__file__).parents[2] / "agent"


pytestmark = pytest.mark.usefixtures("fresh_registry")


@task
def extract(n: int = 1) -> list[int]:
    return [n]


@task(retries=2)
def load(rows: Any, limit: int = 3) -> Any:
    return rows[:limit]


def upstream(graph: Any) -> dict[str, list[str]]:
    """Return the tasks that each task waits for by an arrow."""
    return {name: [item.task_id for item in node.upstream] for name, node in graph.nodes.items()}


def test_a_call_outside_of_a_dag_is_the_plain_function() -> None:
    assert extract(4) == [4]


def test_a_call_inside_of_a_dag_makes_a_node_and_a_reference() -> None:
    @dag
    def weather() -> None:
        load(extract(2), limit=5)

    nodes = weather().nodes
    assert list(nodes) == ["extract", "load"]
    assert nodes["extract"].args == (2,)
    assert nodes["load"].args[0].node is nodes["extract"]
    assert nodes["load"].kwargs == {"limit": 5}


def test_calls_of_one_function_are_numbered_as_in_airflow() -> None:
    @dag
    def weather() -> None:
        for n in range(3):
            extract(n)

    assert list(weather().nodes) == ["extract", "extract__1", "extract__2"]


def test_a_number_that_a_task_id_has_taken_is_passed_over() -> None:
    @dag
    def weather() -> None:
        extract()
        extract.override(task_id="extract__1")()
        extract()

    assert list(weather().nodes) == ["extract", "extract__1", "extract__2"]


def test_arrows_chain_through_tasks_and_lists() -> None:
    @dag
    def weather() -> None:
        a, b, c, d = (extract.override(task_id=name)() for name in "abcd")
        a >> [b, c] >> d

    assert upstream(weather()) == {"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"]}


def test_arrows_to_the_left_are_the_same_arrows() -> None:
    @dag
    def weather() -> None:
        a, b, c, d = (extract.override(task_id=name)() for name in "abcd")
        a << b << c
        [b, c] << d

    assert upstream(weather()) == {"a": ["b"], "b": ["c", "d"], "c": ["d"], "d": []}


def test_a_list_changed_after_the_call_does_not_change_the_input() -> None:
    @dag
    def weather() -> None:
        rows: list[Any] = [extract()]
        load(rows)
        rows.append(extract())

    assert len(weather().nodes["load"].args[0]) == 1


def test_override_changes_one_call_only() -> None:
    @dag
    def weather() -> None:
        load.override(retries=7)(1)
        load(1)

    nodes = weather().nodes
    assert nodes["load"].options["retries"][0] == 7
    assert nodes["load__1"].options["retries"][0] == 2


def test_bash_and_http_tasks_are_nodes_of_their_kind() -> None:
    @task.bash(retries=1)
    def show(n: Any) -> str:
        return f"echo {n}"

    @dag
    def weather() -> None:
        n = extract()
        show(n) >> task.http_api(task_id="call", url="http://x/", query={"n": n}, retries=3)

    nodes = weather().nodes
    assert [(name, node.kind) for name, node in nodes.items()] == [
        ("extract", "python"),
        ("show", "bash"),
        ("call", "http_api"),
    ]
    assert set(nodes["call"].kwargs) == {"url", "query"}
    assert set(nodes["call"].options) == {"task_id", "retries"}


def test_a_node_knows_the_line_of_its_call() -> None:
    line = sys._getframe().f_lineno

    @dag
    def weather() -> None:
        extract()

    assert weather().nodes["extract"].place == (__file__, line + 4)


def test_dag_takes_its_id_as_first_argument_as_in_airflow() -> None:
    @dag("weather", tags=["a"])
    def draw() -> None:
        extract()

    assert draw().options == {"dag_id": "weather", "tags": ["a"]}


def test_the_agent_finds_a_task_function_by_its_id() -> None:
    @dag
    def weather() -> None:
        extract()
        extract()

    weather()
    assert registry.function_of("extract__1") is extract.function


def test_an_unknown_task_id_names_those_that_there_are() -> None:
    @dag
    def weather() -> None:
        extract()

    weather()
    with pytest.raises(LookupError, match="no Python task 'lode'; its tasks are: extract"):
        registry.function_of("lode")


def test_a_dag_function_that_fails_leaves_no_dag_open() -> None:
    @dag
    def weather() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        weather()
    assert extract(1) == [1]


def test_references_can_be_members_of_sets_and_keys() -> None:
    @dag
    def weather() -> None:
        a, b = extract(), extract()
        assert len({a, b, a}) == 2
        assert a != b
        assert hasattr(a, "__array__") is False

    assert len(weather().nodes) == 2


def test_importing_leoflow_imports_nothing_but_itself() -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(AGENT)!r}); before = set(sys.modules)\n"
        "import leoflow; print(sorted(set(sys.modules) - before))"
    )
    command = [sys.executable, "-I", "-S", "-c", code]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "['leoflow', 'leoflow.registry']"


@pytest.mark.parametrize(
    "path",
    [
        *sorted((AGENT / "leoflow").glob("*.py")),
        AGENT / "leoflow_agent" / "read_dag.py",
        AGENT / "leoflow_agent" / "argument.py",
        AGENT / "leoflow_agent" / "branchtarget.py",
        AGENT / "leoflow_agent" / "callcheck.py",
        AGENT / "leoflow_agent" / "dagoption.py",
        AGENT / "leoflow_agent" / "drawndag.py",
        AGENT / "leoflow_agent" / "projectreader.py",
    ],
    ids=lambda path: path.name,
)
def test_container_code_is_python_3_9(path: Path) -> None:
    ast.parse(path.read_text(), feature_version=(3, 9))
