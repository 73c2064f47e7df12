"""The zoo of defective projects as a person meets it: exit code, text, and nothing half-done."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

ZOO = Path(__file__).parents[1] / "broken"
NAMES = sorted(path.name for path in ZOO.iterdir() if path.is_dir())


def _stage(name: str) -> str:
    file = ZOO / name / "stage"
    return file.read_text().strip() if file.exists() else "validate"


INVALID = [name for name in NAMES if _stage(name) in ("validate", "lock")]
FAILING = [name for name in NAMES if _stage(name) == "run"]
# What all of them say is tested beside the builder; whole commands for each take minutes.
SOME = (
    "cycle",
    "dag-yaml-tasks",
    "never-returns",
    "no-resources",
    "syntax-error-in-module",
    "two-dags",
    "undeclared-import",
    "unknown-key",
    "unsatisfiable-dependency",
)
PICKED = [pytest.param(name, marks=() if name in SOME else pytest.mark.long) for name in INVALID]


@pytest.fixture
def broken(tmp_path):
    """Return a function that copies a folder of the zoo, without what only tests read."""

    def copy(name: str) -> Path:
        folder = tmp_path / name
        shutil.copytree(ZOO / name, folder, ignore=shutil.ignore_patterns("__pycache__"))
        for file in ("expect", "stage"):
            (folder / file).unlink(missing_ok=True)
        return folder

    return copy


def _expected(name: str) -> list[str]:
    return (ZOO / name / "expect").read_text(encoding="utf-8").splitlines()


def _files(folder: Path) -> set[str]:
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*")}
    return found - {"leoflow.lock"}


def test_every_stage_has_a_folder():
    assert len(INVALID) > 40
    assert set(SOME) < set(INVALID)
    assert len(FAILING) == 2
    assert "lock" in map(_stage, NAMES)


@pytest.mark.engine
@pytest.mark.parametrize("name", PICKED)
def test_an_invalid_project_is_told_and_nothing_is_left_of_it(leoflow, engine, broken, name):
    # never-returns would take the whole allowance, twice.
    leoflow.environment["LEOFLOW_DAG_READ_TIMEOUT_SECONDS"] = "3"
    folder = broken(name)
    before, images = _files(folder), engine.images()
    validated = leoflow("validate", folder, "--json")
    _check_problems(json.loads(validated.stdout)["problems"], folder)
    built = leoflow("build", folder, "--tag", f"zoo/{name}:1")
    assert built.stdout == ""
    for ended in (validated, built):
        assert ended.returncode == 2, ended.stderr
        assert "Traceback" not in ended.stderr
    for line in _expected(name):
        assert line in validated.stderr
    assert _files(folder) == before
    assert [new for new in engine.images() - images if new.startswith("zoo/")] == []


def _check_problems(problems: list[dict], folder: Path) -> None:
    """Each is told once, and has a file and a line that exist, unless a file is what is missing."""
    told = [(one["file"], one["line"], one["message"]) for one in problems]
    assert told
    assert len(told) == len(set(told))
    for file, line, _ in told:
        assert file.endswith((".py", ".yaml"))
        assert line is None or 1 <= line <= len((folder / file).read_text().splitlines())


@pytest.mark.engine
@pytest.mark.parametrize("name", FAILING)
def test_a_result_that_cannot_be_kept_fails_the_run(leoflow, engine, broken, name):
    folder = broken(name)
    assert leoflow("validate", folder).returncode == 0
    ended = leoflow("run", folder, "--executor", "docker")
    assert ended.returncode == 1
    for line in _expected(name):
        assert line in ended.stderr
    assert engine.leftovers(leoflow.home) == []
