"""What a stranger gets: `make demo` works in a bare clone, and the wheel needs no sources."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = {
    "leoflow": "agent",
    "leoflow_agent": "agent",
    "leoflow_base_images": "base-images",
    "leoflow_builder": "builder",
    "leoflow_cli": "cli",
    "leoflow_controlplane": "controlplane",
}
SDIST_EXTRAS = {"PKG-INFO", "pyproject.toml", "README.md", "LICENSE", ".gitignore"}
SDIST_FOLDERS = {
    "agent", "base-images", "benchmarks", "builder", "cli", "controlplane", "deploy", "docs",
    "examples", "tests",
}  # fmt: skip
SDIST_FILES = {"Makefile", "CHANGELOG.md", "CONTRIBUTING.md"}
# What points a process at this checkout or at the virtual environment that the tests run in.
NOT_PASSED_ON = (
    "PYTHONPATH",
    "VIRTUAL_ENV",
    "LEOFLOW_TEST_HOME",
    "MAKEFLAGS",
    "MAKELEVEL",
    "MFLAGS",
)

pytestmark = [pytest.mark.long, pytest.mark.timeout(1800)]


@dataclass(frozen=True)
class Demo:
    """One `make demo`: its exit code, all that it printed, and how long it took."""

    code: int
    printed: str
    seconds: float


def _environment(**variables: str) -> dict[str, str]:
    passed = {name: value for name, value in os.environ.items() if name not in NOT_PASSED_ON}
    own = str(Path(sys.executable).parent)
    path = [one for one in passed["PATH"].split(os.pathsep) if one != own]
    return {**passed, "PATH": os.pathsep.join(path), "NO_COLOR": "1", **variables}


def _call(*command: object, **options: object) -> str:
    done = subprocess.run(
        [str(word) for word in command],
        **{"env": _environment(), "capture_output": True, "text": True, **options},
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bare") / "leoflow"
    _call("git", "clone", "--quiet", ROOT, folder)
    return folder


@pytest.fixture(scope="module")
def wheel(clone: Path) -> Path:
    _call(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", clone / "dist", clone)
    return next((clone / "dist").glob("leoflow-*.whl"))


def _demo(clone: Path, home: Path, **variables: str) -> Demo:
    began = time.monotonic()
    done = subprocess.run(
        ["make", "demo", f"PYTHON={sys.executable}"],
        cwd=clone,
        env=_environment(LEOFLOW_HOME=str(home), **variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return Demo(done.returncode, done.stdout, time.monotonic() - began)


def _shows_totals_and_time_lines(printed: str) -> None:
    assert '"2012": 1226.0, "2013": 828.0, "2014": 1232.8, "2015": 1139.2' in printed
    names = (
        "extract",
        "clean",
        *(f"rain_{year}" for year in range(2012, 2016)),
        "totals",
        "report",
    )
    for name in names:
        assert re.search(rf"^  {name} +success +1( +[\d.]+){{8}} *$", printed, re.M), printed
    assert re.search(r"^weather ended with success", printed, re.M)


@pytest.mark.engine
def test_make_demo_shows_all_and_is_four_times_as_fast_when_repeated(
    clone: Path, tmp_path: Path
) -> None:
    first = _demo(clone, tmp_path / "home")
    assert first.code == 0, first.printed
    _shows_totals_and_time_lines(first.printed)
    for layer in ("base", "agent", "deps", "dag"):
        assert re.search(rf"^  {layer} +[\d.]+ [kM]B  new$", first.printed, re.M), first.printed
    assert re.search(r"^  image +[\d.]+ MB compressed, [\d.]+ MB unpacked", first.printed, re.M)
    second = _demo(clone, tmp_path / "home")
    assert second.code == 0, second.printed
    _shows_totals_and_time_lines(second.printed)
    assert second.seconds < first.seconds / 4


def test_make_demo_without_an_engine_warns_and_runs_as_subprocesses(
    clone: Path, tmp_path: Path
) -> None:
    nowhere = f"unix://{tmp_path}/no.sock"
    demo = _demo(clone, tmp_path / "home", DOCKER_HOST=nowhere)
    assert demo.code == 0, demo.printed
    assert "no container engine answers" in demo.printed
    assert "development only" in demo.printed
    _shows_totals_and_time_lines(demo.printed)


@pytest.mark.engine
def test_the_wheel_alone_makes_a_project_that_runs(wheel: Path, home: Path, tmp_path: Path) -> None:
    _call(sys.executable, "-m", "venv", tmp_path / "venv")
    programs = tmp_path / "venv" / "bin"
    _call(programs / "python", "-m", "pip", "install", "--quiet", wheel)
    options = {"cwd": tmp_path, "env": _environment(LEOFLOW_HOME=str(home))}
    found = _call(programs / "python", "-c", "import leoflow; print(leoflow.__file__)", **options)
    assert found.startswith(str(tmp_path))
    _call(programs / "leoflow", "init", "demo", **options)
    run = json.loads(_call(programs / "leoflow", "run", "demo", "--json", **options))
    assert run["state"] == "success"
    assert run["image"]
    assert {task["task_id"]: task["return_value"] for task in run["tasks"]} == {
        "extract": [1, 2, 3],
        "total": 6,
    }


def _tracked(clone: Path, folders: Iterable[str]) -> set[str]:
    return set(_call("git", "-C", clone, "ls-files", "--", *folders).splitlines())


def test_the_wheel_holds_the_packages_and_nothing_else(clone: Path, wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    about = {name for name in names if re.match(r"leoflow-[\d.]+\.dist-info/", name)}
    assert {name.partition("/")[2] for name in about} == {
        "METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE",
    }  # fmt: skip
    folders = [f"{folder}/{package}" for package, folder in PACKAGES.items()]
    assert names - about == {name.partition("/")[2] for name in _tracked(clone, folders)}


def test_the_sdist_holds_what_git_does_of_these_folders(clone: Path, tmp_path: Path) -> None:
    _call(sys.executable, "-m", "venv", tmp_path / "venv")
    python = tmp_path / "venv" / "bin" / "python"
    _call(python, "-m", "pip", "install", "--quiet", "hatchling>=1.27")
    _call(python, "-m", "hatchling", "build", "-t", "sdist", "-d", tmp_path / "dist", cwd=clone)
    with tarfile.open(next((tmp_path / "dist").glob("*.tar.gz"))) as archive:
        names = {item.name.partition("/")[2] for item in archive.getmembers() if item.isfile()}
    assert names - SDIST_EXTRAS == _tracked(clone, SDIST_FOLDERS | SDIST_FILES)
    assert names >= SDIST_EXTRAS
