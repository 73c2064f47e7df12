"""A project's folder, written and read: what tests of reading begin with."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import pytest
from leoflow_agent.spec import DagSpec
from leoflow_builder.interpreter import HostInterpreter
from leoflow_builder.problem import ProjectError
from leoflow_builder.project import load_project
from leoflow_builder.reading import read_dag

HOST = HostInterpreter(Path(sys.executable))
SETTINGS = "defaults: {resources: {requests: {cpu: 100m, memory: 64Mi}}}\n"
DAG = """
from leoflow import dag, task

@task
def extract():
    return 1

@dag
def project():
    extract()

project()
"""


def write(folder: Path, dag: str = DAG, settings: str = SETTINGS, **files: str) -> Path:
    (folder / "dag.py").write_text(textwrap.dedent(dag), encoding="utf-8")
    (folder / "leoflow.yaml").write_text(settings, encoding="utf-8")
    for name, text in files.items():
        path = folder / name.replace("_py", ".py")
        path.write_text(text, encoding="utf-8")
    return folder


def read(folder: Path, *path: Path, timeout_seconds: float = 30.0) -> DagSpec:
    return read_dag(load_project(folder), HOST, path, timeout_seconds)


def problems(folder: Path, *path: Path, timeout_seconds: float = 30.0) -> list[str]:
    with pytest.raises(ProjectError) as caught:
        read(folder, *path, timeout_seconds=timeout_seconds)
    return [str(problem) for problem in caught.value.problems]
