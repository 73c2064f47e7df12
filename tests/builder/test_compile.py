"""From a drawing and settings to a DagSpec."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from leoflow_agent.action import BashAction, HttpAction, PythonAction, XCom
from leoflow_agent.spec import DagSpec, Source
from leoflow_builder.compile import compile_dag
from leoflow_builder.drawing import Drawing, DrawnTask
from leoflow_builder.option import TaskOption
from leoflow_builder.problem import ProjectError
from leoflow_builder.project import Project
from leoflow_builder.said import SaidTask, said_project, said_task
from leoflow_builder.saiddag import SaidDag
from leoflow_builder.settings import Settings
from leoflow_builder.writtenmodel import plain
from leoflow_builder.yamlplace import YamlFile

RESOURCES = {"requests": {"cpu": "250m", "memory": "256Mi"}}
DEFAULTS = {"defaults": {"resources": RESOURCES}}


def project(settings: dict[str, Any]) -> Project:
    positions = {("tasks", "lode"): (9, 3), ("dag_id",): (1, 1)}
    file = YamlFile("leoflow.yaml", settings, positions)
    said = said_project(plain(Settings.model_validate(settings)))
    return Project(Path("project"), "dag.py", said, file)


def task(name: str, *upstream: str, line: int = 1, **option: Any) -> DrawnTask:
    options = said_task(plain(TaskOption.model_validate(option)))
    return DrawnTask(name, BashAction("ls"), options, Source("dag.py", line), upstream)


def compile_(
    *tasks: DrawnTask, settings: dict[str, Any] = DEFAULTS, dag_id: str | None = "d"
) -> DagSpec:
    drawing = Drawing(tuple(tasks), Source("dag.py", 30), SaidDag({"dag_id": dag_id}), "draw")
    return compile_dag(project(settings), drawing, 300.0)


def problems(*tasks: DrawnTask, **options: Any) -> list[str]:
    with pytest.raises(ProjectError) as caught:
        compile_(*tasks, **options)
    return [str(problem) for problem in caught.value.problems]


def test_tasks_are_put_into_topological_order() -> None:
    spec = compile_(task("c", "b"), task("b", "a"), task("a"))
    assert [item.task_id for item in spec.tasks] == ["a", "b", "c"]


def test_results_taken_are_upstream() -> None:
    action = PythonAction("dag", None, (XCom("b"),), {"x": XCom("a"), "y": XCom("b")})
    taker = DrawnTask("t", action, SaidTask(), Source("dag.py", 1), ("c", "a"))
    spec = compile_(task("a"), task("b"), task("c"), taker)
    assert spec.task("t").upstream_task_ids == ("b", "a", "c")


def test_settings_of_the_file_win_over_the_task_and_the_task_over_defaults() -> None:
    settings = {
        "defaults": {"resources": RESOURCES, "retries": 1, "retry_delay_seconds": 1},
        "tasks": {"a": {"retries": 3, "resources": {"requests": {"memory": "1Gi"}}}},
    }
    found = compile_(task("a", retries=2, retry_delay_seconds=2), settings=settings).task("a")
    assert (found.retries, found.retry_delay_seconds) == (3, 2)
    assert found.resources.requests.memory_bytes == 2**30
    assert found.resources.requests.cpu_millis == 250


def test_what_a_task_takes_back_of_the_defaults_stays_so_under_its_override() -> None:
    def selecting(labels: dict[str, str] | None) -> dict[str, Any]:
        return {"kubernetes": {"node_selector": labels}}

    settings = {
        "defaults": {"resources": RESOURCES, **selecting({"disk": "ssd"})},
        "tasks": {"a": selecting({"zone": "z1"})},
    }
    found = compile_(task("a", **selecting(None)), settings=settings).task("a")
    assert found.kubernetes is not None
    assert dict(found.kubernetes.node_selector) == {"zone": "z1"}


@pytest.mark.parametrize(
    ("said", "drawn", "dag_id"), [("x", None, "x"), (None, "y", "y"), (None, None, "draw")]
)
def test_the_dag_id_is_what_is_written_else_the_functions_name(
    said: str | None, drawn: str | None, dag_id: str
) -> None:
    settings = DEFAULTS if said is None else {**DEFAULTS, "dag_id": said}
    assert compile_(task("a"), settings=settings, dag_id=drawn).dag_id == dag_id


def test_two_dag_ids_have_to_agree() -> None:
    assert compile_(task("a"), settings={**DEFAULTS, "dag_id": "d"}).dag_id == "d"
    (problem,) = problems(task("a"), settings={**DEFAULTS, "dag_id": "e"})
    assert problem.startswith("leoflow.yaml:1:1: dag_id 'e' is not the DAG's own, 'd' (dag.py:30)")


def test_resources_are_asked_for_with_the_lines_to_add() -> None:
    (problem,) = problems(task("a", line=7), settings={})
    assert problem.startswith("dag.py:7: task 'a' does not say how much cpu and memory it needs.")
    assert problem.endswith("\n    resources:\n      requests: {cpu: 250m, memory: 256Mi}")


def test_half_of_the_resources_is_not_enough() -> None:
    (problem,) = problems(task("a"), settings={"defaults": {"resources": {"requests": {"cpu": 1}}}})
    assert "does not say how much memory it needs" in problem


def test_layers_may_not_add_up_to_a_limit_below_the_request() -> None:
    low = task("a", line=4, resources={"limits": {"memory": "1Mi"}})
    assert problems(low) == [
        "dag.py:4: task 'a': limits.memory 1Mi is less than requests.memory 256Mi: raise the limit"
    ]


@pytest.mark.parametrize(
    ("tasks", "problem"),
    [
        ([], "dag.py:30: the DAG has no task: call at least one in it"),
        ([task("a", "b")], "dag.py:1: task 'a' waits for 'b', which the DAG does not have. It has"),
        ([task("a b")], "dag.py:1: task_id 'a b' may hold only letters"),
        (
            [task("a", "b", line=2), task("b", "a", line=3), task("c", "a")],
            "dag.py:2: tasks wait for each other in a circle: "
            "'a' (dag.py:2) -> 'b' (dag.py:3) -> 'a' (dag.py:2)",
        ),
    ],
)
def test_a_defect_of_the_graph_is_told(tasks: list[DrawnTask], problem: str) -> None:
    (found,) = problems(*tasks)
    assert found.startswith(problem)


def test_settings_for_a_task_that_is_not_there_are_not_dropped() -> None:
    (problem,) = problems(task("load"), settings={**DEFAULTS, "tasks": {"lode": {}}})
    expected = "tasks.lode: the DAG has no task 'lode'. Did you mean 'load'?"
    assert problem == f"leoflow.yaml:9:3: {expected}"


def test_all_defects_are_told_at_once() -> None:
    found = problems(task("a", "z"), task("b"), settings={"tasks": {"lode": {}}, "dag_id": "e"})
    assert len(found) == 5


@given(st.permutations("abcde"), st.data())
def test_any_graph_without_a_circle_compiles(order: list[str], data: st.DataObject) -> None:
    tasks = [
        task(
            name,
            *data.draw(st.lists(st.sampled_from(order[:i]), unique=True) if i else st.just([])),
        )
        for i, name in enumerate(order)
    ]
    spec = compile_(*data.draw(st.permutations(tasks)))
    seen: set[str] = set()
    for item in spec.tasks:
        assert set(item.upstream_task_ids) <= seen
        seen.add(item.task_id)
    assert seen == set(order)


def inline(**option: Any) -> DrawnTask:
    options = said_task(plain(TaskOption.model_validate(option)))
    return DrawnTask("call", HttpAction("http://h"), options, Source("dag.py", 7))


def test_declared_names_come_from_defaults_the_task_and_its_override() -> None:
    secrets = {"variables": ["region"], "connections": ["db"]}
    settings = {
        "defaults": {"resources": RESOURCES, **secrets},
        "tasks": {"b": {"connections": None}},
    }
    spec = compile_(task("a", variables=["size"]), task("b"), settings=settings)
    assert spec.task("a").variables == ("size",)
    assert spec.task("a").connections == ("db",)
    assert spec.task("b").variables == ("region",)
    assert spec.task("b").connections == ()


def test_what_runs_in_the_control_plane_declares_secrets_like_any_other_task() -> None:
    settings = {"defaults": {"resources": RESOURCES, "connections": ["db"]}}
    spec = compile_(inline(variables=["token"]), task("a"), settings=settings)
    assert spec.task("call").variables == ("token",)
    assert spec.task("call").connections == ("db",)
    assert spec.task("a").connections == ("db",)


@pytest.mark.parametrize(
    ("default", "own", "seconds"),
    [
        (600, {}, None),
        (200, {}, 200),
        (600, {"execution_timeout_seconds": 60}, 60),
        (None, {}, None),
    ],
)
def test_a_default_time_out_leaves_an_inline_request_to_its_cap(
    default: float | None, own: dict[str, Any], seconds: float | None
) -> None:
    settings = {"defaults": {"resources": RESOURCES, "execution_timeout_seconds": default}}
    spec = compile_(inline(**own), task("a"), settings=settings)
    assert spec.task("call").execution_timeout_seconds == seconds
    assert spec.task("a").execution_timeout_seconds == default


@pytest.mark.parametrize("place", ["task", "override"])
def test_an_inline_request_that_asks_for_more_than_its_cap_is_refused(place: str) -> None:
    longer = {"execution_timeout_seconds": 600}
    call = inline(**longer) if place == "task" else inline()
    settings = {"defaults": {"resources": RESOURCES}, "tasks": {"call": longer}}
    (problem,) = problems(call, settings=settings if place == "override" else DEFAULTS)
    assert problem.startswith("dag.py:7: task 'call' has an execution_timeout_seconds of 600, but")
