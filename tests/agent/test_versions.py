"""The agent on every Python that an image may have: the tests of this folder, run against each."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from leoflow_builder.agentlayer import agent_sources
from leoflow_builder.baseimage import ensure_base
from leoflow_builder.basemaking import make_base
from leoflow_builder.recipe import RecipeText, host_architecture, read_recipe

HERE = Path(__file__).parent
# What differs between versions: how user code is called, how it ends, what is imported late.
CORE = ["test_agent.py", "test_agent_call.py", "test_agent_pull.py", "test_tls.py"]
# A program in a root file system of another distribution cannot be started without its loader.
NOT_BY_LOADER = [
    "spawn",
    "test_declared_python_variables",
    "test_get_current_context_is_refused_while_the_module_is_imported_elsewhere",
    "test_variables_are_there_before_user_code_and_in_what_it_starts",
]
# Python 3.14 is in no stable Debian yet: made by the recipe of 3.13 out of the next one.
NEXT_PYTHON, NEXT_SUITE = "3.14", "forky"


@pytest.mark.parametrize("name", sorted(agent_sources()))
def test_all_that_is_in_the_image_is_written_for_python_3_9(name: str) -> None:
    ast.parse(agent_sources()[name], feature_version=(3, 9))


@pytest.mark.long
@pytest.mark.parametrize("version", ["3.11", "3.13", NEXT_PYTHON])
def test_the_agent_runs_on_debians_python(version: str, shared_home: Path) -> None:
    place = _next_base(shared_home) if version == NEXT_PYTHON else None
    place = place or ensure_base(version, shared_home, print).rootfs
    _run(place, CORE, without=NOT_BY_LOADER)


@pytest.mark.parametrize(
    "version", ["3.9", *(pytest.param(one, marks=pytest.mark.long) for one in ("3.10", "3.12"))]
)
def test_the_agent_runs_on_a_python_of_the_host(version: str) -> None:
    _run(_host_python(version), CORE)


@pytest.mark.long
@pytest.mark.parametrize("version", ["3.9", "3.10", "3.12", "3.13", NEXT_PYTHON])
def test_all_of_the_agent_runs(version: str, shared_home: Path) -> None:
    everything = [path.name for path in HERE.glob("test_agent*.py")] + ["test_tls.py"]
    if version == NEXT_PYTHON:
        _run(_next_base(shared_home), everything, without=NOT_BY_LOADER)
    else:
        _run(_host_python(version), everything)


def _run(python: Path, files: list[str], without: Iterable[str] = ()) -> None:
    wanted = " and ".join(["not source", *(f"not {name}" for name in without)])
    # The path of a socket may not be as long as a test's own folder makes it.
    with TemporaryDirectory(prefix="leoflow-") as folder:
        options = ["-q", "-k", wanted, f"--basetemp={folder}/t", "-p", "no:cacheprovider"]
        ended = subprocess.run(
            [sys.executable, "-m", "pytest", *options, *(str(HERE / name) for name in files)],
            env={**os.environ, "LEOFLOW_TEST_PYTHON": str(python)},
            cwd=HERE.parents[1],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
    assert ended.returncode == 0, ended.stdout[-6000:]


def _host_python(version: str) -> Path:
    found = shutil.which(f"python{version}")
    candidates = [Path(found)] if found and "pyenv/shims" not in found else []
    candidates += Path.home().glob(f".pyenv/versions/{version}.*/bin/python{version}")
    if not candidates:
        pytest.skip(f"this machine has no python{version}; Debian has none for it either")
    return candidates[0]


def _next_base(home: Path) -> Path:
    name = f"python{NEXT_PYTHON}-{host_architecture()}"
    made = sorted((home / "cache" / "bases").glob(f"{name}-*/rootfs"))
    if made:
        return made[-1]
    recipe = read_recipe("3.13", host_architecture())
    text = recipe.text.replace("3.13", NEXT_PYTHON).replace("trixie", NEXT_SUITE)
    return make_base(RecipeText(name, recipe.architecture, text), (), home, print, False).rootfs
