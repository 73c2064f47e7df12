"""A project with a slow import, built, measured in its containers, and the culprit named."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from leoflow_builder.budget import Subject, check_budget
from leoflow_builder.build import build_project
from leoflow_builder.project import load_project
from leoflow_builder.stopwatch import opened

pytestmark = pytest.mark.engine
SETTINGS = """\
budget:
  compressed_mb: 1
  import_ms: 150
  user_code_ms: 60000
defaults: {resources: {requests: {cpu: 250m, memory: 128Mi}}}
"""
DAG = """\
import json

from leoflow import dag, task
from steps import numbers


@task
def extract():
    raise SystemExit("a budget calls no task")


@task
def tell():
    return "true"


@dag({0!r})
def project():
    extract()
    tell()


project()
"""


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    dag_id = f"budget-{uuid4().hex[:12]}"
    folder = tmp_path / "project"
    (folder / "steps").mkdir(parents=True)
    (folder / "leoflow.yaml").write_text(SETTINGS)
    (folder / "dag.py").write_text(DAG.format(dag_id))
    (folder / "steps" / "__init__.py").touch()
    (folder / "steps" / "numbers.py").write_text("import csv\nimport time\ntime.sleep(0.2)\n")
    yield folder
    order = ["docker", "image", "ls", "--quiet", f"leoflow/{dag_id}"]
    found = subprocess.run(order, capture_output=True, text=True, check=True).stdout.split()
    subprocess.run(["docker", "image", "rm", "--force", *found], capture_output=True)


def test_a_slow_import_is_found_and_named(project: Path, home: Path) -> None:
    built = build_project(project, home, print)
    image, size = built.image.reference, built.compressed_bytes
    subject = Subject(load_project(project), built.spec, image, size, built.layers)
    with opened(image) as watch:
        report = check_budget(subject, watch, print, runs=5)
    by_figure = {one.figure: one for one in report.excesses}
    assert {"compressed_mb", "import_ms"} == by_figure.keys()
    assert by_figure["compressed_mb"].culprit.startswith("the layer base is the largest")
    slow = by_figure["import_ms"]
    assert slow.place == "leoflow.yaml:3"
    assert slow.task_ids == ("extract", "tell")
    assert slow.value >= 200
    assert slow.culprit.startswith("steps/numbers.py itself 2")
    assert slow.culprit.endswith("outside of functions, imported at dag.py:4")
    (one,) = report.measured
    assert one.user_code_ms.median > one.import_ms.median
