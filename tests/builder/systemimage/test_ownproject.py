"""What the control plane's image is locked to, and that it lacks nothing that the server needs."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

from leoflow_builder.requirement import name_of, normalise
from leoflow_builder.systemimage.ownproject import (
    FOR_BUILDING_ONLY,
    PYTHON_VERSION,
    shipped_lock,
    wanted_requirements,
)
from leoflow_builder.target import PLATFORMS

ROOT = Path(__file__).parents[3]
PYPROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
WITHOUT_THEM = """
import importlib, pkgutil, sys
for name in ("cyclonedx", "pathspec", "pex", "python_on_whales", "uv", "zstandard"):
    sys.modules[name] = None
import leoflow_controlplane, leoflow_cli.client
for package in (leoflow_controlplane, leoflow_cli.client):
    for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        importlib.import_module(found.name)
for command in ("server", "tokens", "dags", "runs", "logs", "trigger", "push", "variables"):
    importlib.import_module(f"leoflow_cli.{command}_command")
import leoflow_cli.failure, leoflow_cli.guard
"""


def test_the_shipped_lock_is_that_of_pyproject_toml():
    lock = shipped_lock()
    wanted = normalise(wanted_requirements(PYPROJECT))
    assert lock.requirements == wanted, "run `make server-lock`, and commit what it wrote"
    assert lock.python_version == PYTHON_VERSION
    assert set(lock.targets) == set(PLATFORMS)


def test_what_is_left_out_is_something_that_leoflow_depends_on():
    listed = tomllib.loads(PYPROJECT)["project"]["dependencies"]
    assert {name_of(one) for one in listed} >= FOR_BUILDING_ONLY


def test_the_server_and_its_clients_import_nothing_that_is_left_out():
    done = subprocess.run([sys.executable, "-c", WITHOUT_THEM], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
