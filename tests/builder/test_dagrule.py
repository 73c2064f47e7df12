"""What tasks and groups mean together: from a drawing to a DagSpec, or to what is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from leoflow_agent.action import BashAction, PythonAction, Value, XCom
from leoflow_agent.spec import DagSpec, Expansion, Source, TaskGroup, Teardown
from leoflow_builder.compile import compile_dag
from leoflow_builder.drawing import Drawing, DrawnGroup, DrawnTask
from leoflow_builder.option import TaskOption
from leoflow_builder.problem import ProjectError
from leoflow_builder.project import Project
from leoflow_builder.said import said_project, said_task
from leoflow_builder.saiddag import SaidDag
from leoflow_builder.writtenmodel import plain
from leoflow_builder.yamlplace import YamlFile

RESOURCES = {"requests": {"cpu": 250, "memory": 2**28}}


def task(name: str, *upstream: str, option: Any = None, **drawn: Any) -> DrawnTask:
    said = said_task(plain(TaskOption.model_validate(option or {})))
    values = {"action": PythonAction("dag"), "upstream": upstream, **drawn}
    return DrawnTask(task_id=name, option=said, source=Source("dag.py", 1), **values)


def compile_(*tasks: DrawnTask, settings: Any = None, dag: Any = None, groups: Any = ()) -> DagSpec:
    said = said_project({"defaults": {"resources": RESOURCES}, **(settings or {})})
    project = Project(Path("p"), "dag.py", said, YamlFile("leoflow.yaml", None))
    drawing = Drawing(tasks, Source("dag.py", 9), SaidDag(dag or {}), "d", tuple(groups))
    return compile_dag(project, drawing, 300.0)


def problems(*tasks: DrawnTask, **options: Any) -> list[str]:
    with pytest.raises(ProjectError) as caught:
        compile_(*tasks, **options)
    return [str(problem) for problem in caught.value.problems]


def test_a_teardown_cleans_up_after_the_setups_right_before_it() -> None:
    spec = compile_(
        task("make", is_setup=True),
        task("work", "make"),
        task("remove", "make", "work", teardown=True),
    )
    assert spec.task("make").is_setup
    assert spec.task("remove").teardown == Teardown(("make",), on_failure_fail_dagrun=True)
    assert spec.task("remove").trigger_rule == "all_done_setup_success"


def test_a_teardown_without_a_setup_is_fine() -> None:
    assert compile_(task("remove", teardown=False)).task("remove").teardown == Teardown()


def test_defaults_do_not_change_the_rule_of_a_teardown() -> None:
    defaults = {"defaults": {"resources": RESOURCES, "trigger_rule": "all_done"}}
    spec = compile_(task("remove", teardown=False), settings=defaults)
    assert spec.task("remove").trigger_rule == "all_done_setup_success"


def test_what_is_wrong_with_setups_and_teardowns_is_told() -> None:
    found = problems(
        task("make", is_setup=True),
        task("work", "make", option={"trigger_rule": "one_failed"}),
        task("remove", "work", teardown=False, option={"trigger_rule": "always"}),
        task("both", is_setup=True, teardown=False),
    )
    assert [text.partition(": ")[2][:45] for text in found] == [
        "task 'both' is a setup and a teardown: make i",
        "task 'remove' is a teardown, whose trigger ru",
        "task 'work' comes right after the setup 'make",
    ]


def test_a_task_waits_for_what_it_is_expanded_over() -> None:
    expansion = Expansion(kwargs={"n": XCom("days"), "m": Value([1])})
    spec = compile_(task("load", expansion=expansion), task("days"))
    assert spec.task("load").upstream_task_ids == ("days",)
    assert spec.task("load").expansion == expansion


def test_the_text_of_a_bash_task_is_nothing_to_expand_over() -> None:
    over = Expansion(listed=XCom("days"))
    (found,) = problems(task("days", action=BashAction("ls")), task("load", expansion=over))
    assert "expanded over the result of bash task 'days', which is text" in found
    many = task("days", action=BashAction("ls"), expansion=Expansion(kwargs={"A": Value([1])}))
    assert compile_(many, task("load", expansion=over))


def test_a_branch_names_tasks_and_groups_directly_downstream() -> None:
    groups = [DrawnGroup(TaskGroup("g", "", None, ("g.a",)), Source("dag.py", 3))]
    branch = task("choose", branch="branch", targets=("g", "g.a", "a"))
    (found,) = problems(branch, task("g.a", "choose"), task("a", "g.a"), groups=groups)
    assert "returns 'a', which is no task or group directly downstream" in found
    assert found.endswith("Did you mean 'g.a'?")


def test_groups_are_kept_and_their_ids_checked() -> None:
    inner = TaskGroup("g.h", "", "g", ("g.h.a",))
    groups = [DrawnGroup(one, Source("dag.py", 3)) for one in (TaskGroup("g", "tip"), inner)]
    spec = compile_(task("g.h.a"), groups=groups)
    assert spec.task_groups == (TaskGroup("g", "tip"), inner)
    wrong = [
        DrawnGroup(TaskGroup("a b"), Source("dag.py", 3)),
        DrawnGroup(TaskGroup("x"), Source("dag.py", 4)),
        DrawnGroup(TaskGroup("x"), Source("dag.py", 5)),
        DrawnGroup(TaskGroup("t"), Source("dag.py", 6)),
    ]
    assert [text[:30] for text in problems(task("t"), groups=wrong)] == [
        "dag.py:3: group_id 'a b' may h",
        "dag.py:5: group_id 'x' is used",
        "dag.py:6: group_id 't' is the ",
    ]


def test_options_come_from_the_file_the_dag_and_the_task_the_later_the_stronger() -> None:
    default_args = {"retries": 2, "depends_on_past": True}
    settings = {"defaults": {"resources": RESOURCES, "retries": 1, "artifacts": True}}
    spec = compile_(
        task("a"),
        task("b", option={"retries": 3}),
        settings=settings,
        dag={"default_args": default_args},
    )
    assert [one.retries for one in spec.tasks] == [2, 3]
    assert all(one.artifacts and one.depends_on_past for one in spec.tasks)


def test_waiting_for_downstream_depends_on_the_past() -> None:
    spec = compile_(task("a", option={"wait_for_downstream": True}))
    assert spec.task("a").depends_on_past


def test_a_maximum_without_backoff_is_told() -> None:
    (found,) = problems(task("a", option={"max_retry_delay_seconds": 5}))
    assert "max_retry_delay_seconds limits retry_exponential_backoff" in found
    option = {"max_retry_delay_seconds": 5, "retry_exponential_backoff": True}
    assert compile_(task("a", option=option)).task("a").max_retry_delay_seconds == 5


def test_the_size_of_the_shared_folder_in_the_file_is_the_stronger() -> None:
    spec = compile_(
        task("a"), settings={"staging": {"size": 2**20}}, dag={"staging": {"size": 2**30}}
    )
    assert spec.staging_bytes == 2**20
