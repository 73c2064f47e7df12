"""What is said when a project cannot be imported, or does something that nobody can wait for."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from dagfolder import DAG, SETTINGS, problems, read, write


def test_modules_of_the_project_and_of_the_path_are_importable(tmp_path: Path) -> None:
    library = tmp_path / "library"
    library.mkdir()
    (library / "pandoc_like.py").write_text("VALUE = 1\n")
    folder = tmp_path / "project"
    folder.mkdir()
    write(folder, "import pandoc_like, steps\n" + DAG, steps_py="from pandoc_like import VALUE\n")
    assert read(folder, library).dag_id == "project"


def test_what_is_installed_beside_the_builder_is_not_importable(tmp_path: Path) -> None:
    (problem,) = problems(write(tmp_path, "import pydantic\n" + DAG))
    assert problem.startswith("dag.py:1: No module named 'pydantic': add the package that has it")


def test_a_reading_without_the_dependencies_says_so(tmp_path: Path) -> None:
    folder = write(tmp_path, "import absent_thing\n" + DAG, SETTINGS + "dependencies: [absent]\n")
    (problem,) = problems(folder)
    assert "It was read without the project's dependencies; `leoflow build`" in problem


def test_a_broken_library_is_told_at_the_line_that_imports_it(tmp_path: Path) -> None:
    library = tmp_path / "library"
    library.mkdir()
    (library / "fragile.py").write_text("import absent_thing\n")
    folder = tmp_path / "project"
    folder.mkdir()
    (problem,) = problems(write(folder, "import os\nimport fragile\n" + DAG), library)
    assert problem.startswith("dag.py:2: No module named 'absent_thing'")


def test_a_package_that_hides_the_entry_is_named(tmp_path: Path) -> None:
    folder = write(tmp_path)
    (folder / "dag").mkdir()
    (folder / "dag" / "__init__.py").write_text("")
    (problem,) = problems(folder)
    assert problem == "dag.py: 'dag/__init__.py' is imported in its place: rename one of them"


def test_a_slow_import_is_told_with_the_line_that_it_hangs_in(tmp_path: Path) -> None:
    folder = write(tmp_path, "import steps\n" + DAG, steps_py="import time\n\n\ntime.sleep(600)\n")
    begin = time.monotonic()
    (problem,) = problems(folder, timeout_seconds=2.0)
    assert time.monotonic() - begin < 60
    assert problem.startswith("steps.py:4: was still being imported after 2 s.")


def test_a_process_left_behind_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leoflow_builder.reading._SPARE_SECONDS", 0.5)
    code = "import subprocess\nsubprocess.Popen(['sleep', '600'])\n"
    (problem,) = problems(write(tmp_path, code + DAG), timeout_seconds=1)
    assert problem.startswith("dag.py: starts a process that goes on after the import")


def test_a_thread_left_behind_does_not_hold_the_reader(tmp_path: Path) -> None:
    code = "import threading, time\nthreading.Thread(target=time.sleep, args=(600,)).start()\n"
    assert read(write(tmp_path, code + DAG), timeout_seconds=10).dag_id == "project"


def test_a_crash_of_the_interpreter_is_told_with_its_line(tmp_path: Path) -> None:
    (problem,) = problems(write(tmp_path, "import ctypes\nctypes.string_at(0)\n" + DAG))
    assert problem.startswith("dag.py:2: the interpreter crashed while it was imported: Fatal")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("from leoflow import tsak", "leoflow has no 'tsak'. Did you mean 'task'?"),
        ("from leoflow import Operator", "leoflow has no 'Operator'. It has DagError, DagRun,"),
        (
            "from airflow.decorators import dag",
            "No module named 'airflow': write `from leoflow import dag, task`. If tasks need",
        ),
    ],
)
def test_a_name_from_elsewhere_is_told_with_what_to_write(
    tmp_path: Path, line: str, message: str
) -> None:
    (problem,) = problems(write(tmp_path, f"{line}\n{DAG}"))
    assert problem.startswith(f"dag.py:1: {message}")
