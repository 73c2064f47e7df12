"""Project folders as they are found on a disk."""

from __future__ import annotations

from pathlib import Path

import pytest
from leoflow_builder.problem import ProjectError
from leoflow_builder.project import load_project


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text, encoding="utf-8")
    return folder


def problems(folder: Path) -> list[str]:
    with pytest.raises(ProjectError) as caught:
        load_project(folder)
    return [str(problem) for problem in caught.value.problems]


def test_a_dag_py_alone_is_a_project(tmp_path: Path) -> None:
    project = load_project(write(tmp_path, dag_py=""))
    assert (project.entry, project.dag_id, project.python_version) == ("dag.py", None, "3.11")
    assert (project.dependencies, project.environment, project.base_image) == ((), {}, None)


def test_settings_are_read_and_their_lines_known(tmp_path: Path) -> None:
    text = "dag_id: weather\ndependencies:\n  - six\n  - pandas>=2\nenvironment: {A: 1.10}\n"
    project = load_project(write(tmp_path, dag_py="", leoflow_yaml=text))
    assert project.dag_id == "weather"
    assert project.dependencies == ("six", "pandas>=2")
    assert project.environment == {"A": "1.10"}
    assert project.line_of("dependencies", 1) == 4
    assert project.line_of("base_image") is None


def test_a_dag_yaml_is_read_with_the_project(tmp_path: Path) -> None:
    project = load_project(write(tmp_path, dag_yaml="dag_id: x\ntasks: {a: {bash: ls}}\n"))
    assert project.dag_id == "x"
    assert project.drawing is not None
    assert [task.task_id for task in project.drawing.tasks] == ["a"]


def test_entry_chooses_among_files(tmp_path: Path) -> None:
    write(tmp_path, dag_py="", dag_yaml="tasks: {a: {bash: ls}}\n", leoflow_yaml="entry: dag.py\n")
    assert load_project(tmp_path).entry == "dag.py"


def test_an_entry_of_null_is_no_entry(tmp_path: Path) -> None:
    assert load_project(write(tmp_path, dag_py="", leoflow_yaml="entry: null\n")).entry == "dag.py"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("flow.py", "entry 'flow.py' is not in the project: create it"),
        ("my-dag.py", "entry 'my-dag.py' cannot be imported"),
        ("json.py", "entry 'json.py' has the name of a module that Python needs"),
    ],
)
def test_an_entry_that_cannot_be_is_refused(tmp_path: Path, name: str, message: str) -> None:
    write(tmp_path, leoflow_yaml=f"entry: {name}\n")
    if name != "flow.py":
        (tmp_path / name).write_text("")
    (problem,) = problems(tmp_path)
    assert problem.startswith(f"leoflow.yaml:1:1: {message}")


def test_a_refused_entry_is_one_problem_only(tmp_path: Path) -> None:
    (problem,) = problems(write(tmp_path, leoflow_yaml="entry: 3\n"))
    assert problem.startswith("leoflow.yaml:1:1: entry has to be text")


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path / "gone")
    assert problem.startswith(f"{tmp_path / 'gone'}: is not a folder")


def test_settings_under_another_name_are_not_passed_over(tmp_path: Path) -> None:
    assert problems(write(tmp_path, dag_py="", leoflow_yml="")) == [
        "leoflow.yml: rename it to leoflow.yaml"
    ]


def test_settings_that_are_a_list_are_refused(tmp_path: Path) -> None:
    assert problems(write(tmp_path, dag_py="", leoflow_yaml="- a\n")) == [
        "leoflow.yaml:1:1: has to be a mapping of names to values"
    ]


def test_a_file_that_is_not_text_is_refused(tmp_path: Path) -> None:
    write(tmp_path, dag_py="")
    (tmp_path / "leoflow.yaml").write_bytes(b"a: \xff\n")
    assert problems(tmp_path) == ["leoflow.yaml: is not UTF-8 text (byte 3): save it as UTF-8"]


def test_problems_of_both_files_are_told_at_once(tmp_path: Path) -> None:
    write(tmp_path, dag_yaml="dag_id: x\ntasks: {a: {bsh: ls}}\n", leoflow_yaml="zzz: 1\n")
    assert [problem.split(":")[0] for problem in problems(tmp_path)] == [
        "dag.yaml",
        "dag.yaml",
        "leoflow.yaml",
    ]
