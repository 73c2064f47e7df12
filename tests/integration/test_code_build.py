"""A build after a change of code loads only what it takes: each such build pays for the rest."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

# What only a file that changed, a missing layer, another destination or an error needs.
NEVER = {
    *("pydantic", "yaml", "packaging", "pathspec", "rich", "cyclonedx", "httpx", "docker"),
    *("python_on_whales", "ssl", "http.client", "asyncio", "logging", "concurrent.futures"),
    *("decimal", "difflib", "zipapp", "leoflow_builder.settings"),
    *("leoflow_builder.option", "leoflow_builder.yamlfile", "leoflow_builder.basemaking"),
    *("leoflow_builder.aptindex", "leoflow_builder.debarchive", "leoflow_builder.wheelstore"),
    *("leoflow_builder.registry.client", "leoflow_builder.host", "leoflow_cli.console"),
}
# What is told of an image beside it, which an engine does not keep.
NOT_FOR_AN_ENGINE = {"leoflow_builder.describing", "importlib.metadata", "email", "tomllib"}
SETTINGS = """\
dag_id: {dag_id}
defaults: {{resources: {{requests: {{cpu: 100m, memory: 64Mi}}}}}}
"""
DAG = """\
from leoflow import dag, task


@task(retries=2)
def step():
    return "{text}"


@dag(tags=["a"])
def {name}():
    step()


{name}()
"""
BUILD = """\
import sys
from leoflow_cli.guard import guarded
from leoflow_cli.main import cli

sys.argv[0] = "leoflow"
code = guarded(cli)
print(*sys.modules)
sys.exit(code)
"""


@pytest.fixture
def project(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A project with a dag_id of its own, whose images are removed after the test."""
    dag_id = f"code-{uuid4().hex[:12]}"
    folder = tmp_path / dag_id
    folder.mkdir()
    (folder / "leoflow.yaml").write_text(SETTINGS.format(dag_id=dag_id))
    yield folder
    if request.node.get_closest_marker("engine"):
        listed = ["docker", "images", "--quiet", f"leoflow/{dag_id}"]
        found = subprocess.run(listed, capture_output=True, text=True, check=True).stdout.split()
        subprocess.run(["docker", "rmi", "--force", *dict.fromkeys(found)], check=True)


def modules_of_build(project: Path, home: Path, text: str, *options: str) -> set[str]:
    """Build a DAG whose code says ``text``; return the modules that it took."""
    (project / "dag.py").write_text(DAG.format(text=text, name="drawn"))
    command = [sys.executable, "-c", BUILD, "build", str(project), *options]
    environment = {**os.environ, "LEOFLOW_HOME": str(home)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_a_build_into_a_folder(project: Path, home: Path, tmp_path: Path) -> None:
    for text in ("one", "another"):
        loaded = modules_of_build(project, home, text, "--output", str(tmp_path / "out"))
    assert "leoflow_builder.daglayer" in loaded
    assert loaded & NEVER == set()


@pytest.mark.engine
def test_a_build_into_an_engine(project: Path, home: Path) -> None:
    for text in ("one", "another"):
        loaded = modules_of_build(project, home, text)
    assert "leoflow_builder.daglayer" in loaded
    assert loaded & (NEVER | NOT_FOR_AN_ENGINE) == set()
