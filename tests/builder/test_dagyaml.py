"""DAGs written without Python."""

from __future__ import annotations

import textwrap

import pytest
from leoflow_agent.action import BashAction, DictOf, ListOf, PythonAction, Value, XCom
from leoflow_agent.spec import Expansion, Source, TaskGroup
from leoflow_builder.dagyaml import read_dag_yaml
from leoflow_builder.drawing import Drawing, DrawnTask, upstream_of
from leoflow_builder.said import said_task


def draw(text: str) -> Drawing:
    drawing, problems = read_dag_yaml(textwrap.dedent(text), "dag.yaml")
    assert problems == []
    assert drawing is not None
    return drawing


def task(text: str) -> DrawnTask:
    return draw(f"tasks:\n  a: {text}\n").tasks[0]


def problems(text: str) -> list[str]:
    return [str(problem) for problem in read_dag_yaml(textwrap.dedent(text), "dag.yaml")[1]]


def test_what_is_said_of_the_dag_is_kept() -> None:
    drawing = draw("""\
        dag_id: weather
        description: of Seattle
        tags: [a, b]
        params: {year: 2012}
        tasks: {a: {bash: ls}}
    """)
    assert drawing.dag_id == "weather"
    assert drawing.said.document == {
        "dag_id": "weather",
        "description": "of Seattle",
        "tags": ["a", "b"],
        "params": {"year": 2012},
    }


def test_a_python_task_names_module_and_function() -> None:
    found = task("{python: 'pkg.steps:run', args: [1], kwargs: {n: [1, {m: 2}]}}")
    assert found.action == PythonAction(
        "pkg.steps", "run", (Value(1),), {"n": Value([1, {"m": 2}])}
    )
    assert found.source == Source("dag.yaml", 2)


def test_xcom_is_a_result_wherever_it_stands() -> None:
    found = task(
        "{python: 's:f', kwargs: {x: {xcom: b}, y: [1, {xcom: c}], z: {k: {xcom: {task_id: d, "
        "key: rows}}, l: 1}}}"
    )
    assert isinstance(found.action, PythonAction)
    assert found.action.kwargs == {
        "x": XCom("b"),
        "y": ListOf((Value(1), XCom("c"))),
        "z": DictOf({"k": XCom("d", "rows"), "l": Value(1)}),
    }
    assert upstream_of(found) == ("b", "c", "d")


def test_a_bash_task_has_a_command_and_an_environment() -> None:
    found = task("{bash: 'echo $N', environment: {N: {xcom: b}}, upstream_task_ids: [c, b]}")
    assert found.action == BashAction(command="echo $N", environment={"N": XCom("b")})
    assert upstream_of(found) == ("b", "c")


def test_common_settings_stand_beside_the_action() -> None:
    assert task("{bash: ls, retries: 3}").option == said_task({"retries": 3})


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{}", "has none: write exactly one of python, bash and http_api"),
        ("{bash: ls, http_api: {url: 'http://x/'}}", "has bash and http_api: write exactly one"),
        ("{python: steps.run}", "'steps.run' is not of the form module:function"),
        ("{bash: ls, args: [1]}", "'args' is for python tasks only: remove it"),
        ("{python: 's:f', environment: {A: b}}", "'environment' is for bash tasks only: remove"),
        ("{bash: ls, environment: {A: {xcom: b, key: c}}}", "beside 'xcom' there may be no other"),
        ("{bash: ls, environment: {A: {xcom: [b]}}}", "'xcom' has to be a task_id, or {task_id"),
        ("{bash: ls, environment: {A: {xcom: {key: c}}}}", "'xcom' has to be a task_id, or {task"),
        ("{bash: ls, upstream_task_ids: [b, b]}", "'b' is named twice"),
        ("{bash: ls, trigger_rule: all_don}", "trigger rule 'all_don' is none that leoflow knows"),
        ("{bash: ls, retry: 1}", "unknown key 'retry'. Did you mean 'retries'?"),
        ("{http_api: {url: {xcom: b}, method: {xcom: b}}}", "method has to be known before"),
        ("{http_api: {}}", "'url' is missing: write it"),
    ],
)
def test_a_defect_is_told_with_task_and_line(text: str, problem: str) -> None:
    (found,) = problems(f"tasks:\n  a: {text}\n")
    place, _, message = found.partition(": ")
    assert place.startswith("dag.yaml:2:")
    assert message.startswith(f"task 'a': {problem}")


def test_tasks_may_not_be_missing() -> None:
    assert problems("dag_id: x\n") == ["dag.yaml:1:1: 'tasks' is missing: write it"]


def test_defects_of_several_tasks_are_told_at_once() -> None:
    text = "tags: x\ntasks:\n  a: {bash: ls, zzz: 1}\n  b: {}\n  'c d': {bash: ls}\n"
    assert [found.split(":")[1] for found in problems(text)] == ["1", "3", "5", "4"]


def test_the_schedule_and_limits_of_a_dag_are_kept() -> None:
    drawing = draw("""\
        schedule: {interval_seconds: 60}
        start_date: 2026-01-01
        staging: 1Gi
        default_args: {retries: 2}
        tasks: {a: {bash: ls}}
    """)
    assert drawing.said.document == {
        "schedule": {"interval_seconds": 60},
        "start_date": "2026-01-01",
        "staging": {"size": 2**30},
        "default_args": {"retries": 2},
    }


def test_a_task_is_expanded_over_values_and_results() -> None:
    over = task("{python: 'm:f', kwargs: {r: 1}, expand: {a: [1, 2], b: {xcom: up}}}").expansion
    assert over == Expansion({"a": Value([1, 2]), "b": XCom("up")}, order=("a", "b"))
    over = task("{bash: 'echo $N', expand_kwargs: [{N: 1}, {xcom: up}]}").expansion
    assert over == Expansion(listed=ListOf((Value({"N": 1}), XCom("up"))))


def test_branches_setups_and_teardowns_are_marked() -> None:
    found = task("{python: 'm:f', branch: short_circuit, ignore_downstream_trigger_rules: false}")
    assert (found.branch, found.respect_trigger_rules) == ("short_circuit", True)
    assert task("{bash: ls, setup: true}").is_setup
    assert task("{bash: ls}").teardown is None
    assert task("{bash: ls, teardown: true}").teardown is False
    assert task("{bash: ls, teardown: true, on_failure_fail_dagrun: true}").teardown is True


def test_groups_have_the_tasks_that_begin_with_their_id() -> None:
    drawing = draw("""\
        task_groups: {g: {tooltip: tip}, g.h: {}}
        tasks: {g.a: {bash: ls}, g.h.b: {bash: ls}, c: {bash: ls}}
    """)
    assert [one.group for one in drawing.groups] == [
        TaskGroup("g", "tip", None, ("g.a",)),
        TaskGroup("g.h", "", "g", ("g.h.b",)),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{bash: ls, expand: {A: [1]}, expand_kwargs: []}", "there is expand as well"),
        ("{bash: ls, expand: {}}", "expand names no argument"),
        ("{python: 'm:f', expand_kwargs: {a: 1}}", "has to be a list of mappings, or a result"),
        ("{python: 'm:f', kwargs: {a: 1}, expand_kwargs: [{a: 2}]}", "'a' is given to all"),
        ("{python: 'm:f', ignore_downstream_trigger_rules: true}", "branch: short_circuit only"),
        ("{bash: ls, on_failure_fail_dagrun: true}", "is for teardowns only"),
        ("{bash: ls, branch: branch}", "'branch' is for python tasks only"),
    ],
)
def test_what_does_not_go_together_is_told(text: str, message: str) -> None:
    (problem,) = problems(f"tasks: {{t: {text}}}")
    assert f"task 't': {message}" in problem or message in problem
