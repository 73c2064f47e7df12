"""The project that `leoflow init` writes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from leoflow_builder.interpreter import HostInterpreter
from leoflow_builder.problem import ProjectError
from leoflow_builder.project import load_project
from leoflow_builder.reading import read_dag
from leoflow_builder.template import create_project


def test_a_new_project_is_valid_as_it_is(tmp_path: Path) -> None:
    files = create_project(tmp_path / "my weather!")
    assert {path.name for path in files} == {"dag.py", "leoflow.yaml", ".gitignore"}
    spec = read_dag(load_project(tmp_path / "my weather!"), HostInterpreter(Path(sys.executable)))
    assert spec.dag_id == "my_weather"
    assert [task.task_id for task in spec.tasks] == ["extract", "total"]


def test_a_request_may_be_added_to_a_new_project(tmp_path: Path) -> None:
    dag_file = create_project(tmp_path / "demo")[0]
    request = 'task.http_api(task_id="ask", url="http://example.com")'
    text = dag_file.read_text()
    dag_file.write_text(text.replace("    total(", f"    {request} >> total("))
    spec = read_dag(load_project(tmp_path / "demo"), HostInterpreter(Path(sys.executable)))
    assert spec.task("ask").execution_timeout_seconds is None
    assert spec.task("total").execution_timeout_seconds == 600


def test_the_lines_in_comments_are_valid_too(tmp_path: Path) -> None:
    create_project(tmp_path)
    settings = tmp_path / "leoflow.yaml"
    settings.write_text(settings.read_text().replace("# tasks", "tasks").replace("#   ", "  "))
    assert list(load_project(tmp_path).settings.tasks) == ["total"]


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(ProjectError, match=r"is not empty, it holds notes\.txt"):
        create_project(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_an_invalid_dag_id_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="dag_id 'a b' may hold only"):
        create_project(tmp_path / "new", "a b")
    assert not (tmp_path / "new").exists()


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("")
    with pytest.raises(ProjectError, match="is a file: name a new folder"):
        create_project(tmp_path / "x")
