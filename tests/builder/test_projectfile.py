"""Which files of a project go into its image, which do not, and which must not."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from leoflow_builder.problem import ProjectError
from leoflow_builder.projectfile import choose_files
from leoflow_builder.unchanged import Watch, fingerprint


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    write(folder, "dag.py", "x = 1\n")
    write(folder, "sub/steps.py", "y = 2\n")
    write(folder, "data/table.csv", "a,b\n")
    return folder


def write(folder: Path, name: str, text: str = "") -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)


def names(project: Path) -> list[str]:
    return list(choose_files(project).chosen)


def problems(project: Path, *allowed: str) -> list[str]:
    with pytest.raises(ProjectError) as caught:
        choose_files(project, allowed)
    return [str(problem) for problem in caught.value.problems]


def test_all_files_are_in_it(project: Path) -> None:
    write(project, ".hidden", "x")
    write(project, "leoflow.lock", "{}")
    expected = [".hidden", "dag.py", "data/table.csv", "leoflow.lock", "sub/steps.py"]
    assert names(project) == expected


@pytest.mark.parametrize(
    "name",
    [
        ".git/config",
        "__pycache__/dag.cpython-39.pyc",
        "sub/__pycache__/steps.cpython-39.pyc",
        ".venv/bin/python",
        "anyname/pyvenv.cfg",
        ".pytest_cache/x",
        "dag.json",
        ".DS_Store",
    ],
)
def test_what_tools_keep_beside_the_code_is_not(project: Path, name: str) -> None:
    before = names(project)
    write(project, name)
    assert names(project) == before


def test_a_dag_json_deeper_down_is_the_user_s(project: Path) -> None:
    write(project, "sub/dag.json")
    assert "sub/dag.json" in names(project)


@pytest.mark.parametrize("file", [".gitignore", ".leoflowignore"])
def test_an_ignore_file_is_honoured_and_what_it_leaves_out_is_told(
    project: Path, file: str
) -> None:
    write(project, "notes.txt")
    write(project, file, "data/\n*.txt\n")
    found = choose_files(project)
    assert list(found.chosen) == [file, "dag.py", "sub/steps.py"]
    assert found.ignored == ("data/", "notes.txt")


@pytest.mark.parametrize("file", [".gitignore", ".leoflowignore"])
def test_the_mark_that_editors_begin_utf_8_with_is_no_part_of_a_pattern(
    project: Path, file: str
) -> None:
    (project / file).write_bytes(b"\xef\xbb\xbfdata/\n")
    assert choose_files(project).ignored == ("data/",)


def test_leoflow_s_ignore_file_can_take_back_what_git_leaves_out(project: Path) -> None:
    write(project, ".gitignore", "*.csv\n")
    write(project, ".leoflowignore", "!data/table.csv\n")
    assert "data/table.csv" in names(project)


def test_an_ignore_file_deeper_down_holds_there_only(project: Path) -> None:
    write(project, "sub/.gitignore", "/*.csv\n")
    write(project, "sub/rows.csv")
    assert "sub/rows.csv" not in names(project)
    assert "data/table.csv" in names(project)


def test_a_pattern_may_be_taken_back_by_a_later_one(project: Path) -> None:
    write(project, ".leoflowignore", "data/*\n!data/table.csv\n")
    write(project, "data/other.csv")
    assert "data/table.csv" in names(project)
    assert "data/other.csv" not in names(project)


def test_an_ignore_file_that_is_no_text_is_a_problem(project: Path) -> None:
    (project / ".leoflowignore").write_bytes(b"\xff\xfe")
    assert problems(project) == [".leoflowignore: is not UTF-8 text: save it as UTF-8"]


@pytest.mark.parametrize(
    "name", [".env", ".env.local", "certs/server.key", ".aws/credentials", "sub/id_rsa"]
)
def test_what_looks_like_a_secret_is_refused_by_name_with_both_ways_out(
    project: Path, name: str
) -> None:
    write(project, name)
    (problem,) = problems(project)
    assert problem.startswith(f"{name}: looks like a secret")
    assert ".leoflowignore" in problem
    assert f"allow_secret_files: ['{name}']" in problem


def test_a_secret_that_is_allowed_by_name_goes_in(project: Path) -> None:
    write(project, "ca.pem")
    assert "ca.pem" in choose_files(project, ["ca.pem"]).chosen


def test_a_secret_that_is_ignored_stays_outside_and_is_no_problem(project: Path) -> None:
    write(project, ".env", "PASSWORD=x")
    write(project, ".gitignore", ".env\n")
    assert ".env" not in names(project)


def test_links_in_a_circle_go_in_as_they_are(project: Path) -> None:
    (project / "one").symlink_to("other")
    (project / "other").symlink_to("one")
    assert {"one", "other"} <= set(names(project))


@pytest.mark.parametrize("name", [".wh.table.csv", "data/.wh..wh..opq", ".wh.sub/x.csv"])
def test_a_name_that_would_remove_another_file_is_refused(project: Path, name: str) -> None:
    write(project, name)
    expected = "would remove another file: names with '.wh.' say so in images. Rename it"
    assert problems(project) == [f"{name}: {expected}"]


def test_a_name_that_is_not_utf_8_is_refused(project: Path) -> None:
    Path(os.fsdecode(os.fsencode(project / "data") + b"/caf\xe9.csv")).touch()
    expected = "data/caf\\xe9.csv: has a name that is not UTF-8. Rename it"
    assert problems(project) == [expected]


@pytest.fixture
def closed(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of the project that this user cannot enter, as a database in a container leaves."""
    folder = project / "pgdata"
    write(project, "pgdata/PG_VERSION", "15")

    def refusing(name: str) -> None:
        do = getattr(os, name)

        def refuse(path: Any, *arguments: Any, **options: Any) -> Any:
            inside = not isinstance(path, int) and Path(os.fsdecode(path)).is_relative_to(folder)
            if inside and (name in ("scandir", "listdir") or Path(path) != folder):
                raise PermissionError(13, "Permission denied", path)
            return do(path, *arguments, **options)

        monkeypatch.setattr(os, name, refuse)

    for name in ("stat", "scandir", "listdir"):
        refusing(name)
    may = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: path != folder and may(path, mode))
    return folder


def test_a_folder_that_cannot_be_read_is_a_problem_with_the_way_out(
    project: Path, closed: Path
) -> None:
    expected = "is a folder that cannot be read. Correct its mode, or add it to .leoflowignore"
    assert problems(project) == [f"pgdata: {expected}"]


def test_a_folder_that_cannot_be_read_and_is_ignored_is_none(project: Path, closed: Path) -> None:
    write(project, ".leoflowignore", "pgdata/\n")
    assert choose_files(project).ignored == ("pgdata/",)
    Watch(project).is_undisturbed()
    assert fingerprint(project, ("pgdata/",), {})
