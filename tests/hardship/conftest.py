"""One image for all hard failures, built once, and a control plane of each test's own."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from leoflow_builder.build import build_project

sys.path.insert(0, str(Path(__file__).parent))

from ward import Subject

PROJECT = Path(__file__).parent / "project"


@pytest.fixture(scope="session")
def subject(tmp_path_factory: pytest.TempPathFactory, shared_home: Path) -> Iterator[Subject]:
    """The project with a task for each failure, built."""
    dag_id = f"hardship-{uuid4().hex[:12]}"
    folder = tmp_path_factory.mktemp("hardship") / "project"
    shutil.copytree(PROJECT, folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("dag.py", "leoflow.yaml"):
        file = folder / name
        file.write_text(file.read_text().replace("DAG_ID", dag_id))
    built = build_project(folder, shared_home, print)
    yield Subject(built.spec, built.image.reference)
    subprocess.run(["docker", "image", "rm", "--force", built.image.reference], capture_output=True)


@pytest.fixture(scope="module")
def ward_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LEOFLOW_HOME for the runs of a module; nothing is built in it."""
    return tmp_path_factory.mktemp("ward")
