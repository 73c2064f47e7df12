"""An agent whose control plane never comes back leaves its verdict where that finds it."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import leoflow_agent
import pytest
from leoflow_builder.dagjson import parse_built
from leoflow_controlplane.controlplane import ControlPlane
from leoflow_controlplane.executor.docker.executor import docker_executor
from leoflow_controlplane.executor.hostproject import HostProject
from leoflow_controlplane.executor.subprocess import subprocess_executor
from leoflow_controlplane.model import RunRequest
from leoflow_controlplane.setting import read_settings

DAG = """
import sys
from leoflow import dag, task

@task
def act():
    raise ValueError("no rows")

@dag
def hello():
    act()

hello()
"""


def _cut_off(make: Callable[[Any], Awaitable[Any]]) -> Callable[[Any], Awaitable[Any]]:
    """Make an executor whose agents are told of a socket at which nobody is."""

    async def factory(site: Any) -> Any:
        executor = await make(site)
        executor.endpoint = "unix:/nonexisting.sock"
        return executor

    return factory


async def _run(home: Path, project: Path, make: Callable[[Any], Awaitable[Any]]) -> Any:
    document = parse_built((project / "dag.json").read_bytes())
    settings = replace(read_settings({}), patience_seconds=0.5)
    async with ControlPlane(home, _cut_off(make), settings) as plane:
        request = RunRequest(document.spec, document.image.reference)
        (task,) = (await plane.wait(await plane.create_run(request))).tasks
    return task


@pytest.fixture
def failing(project):
    folder = project("01-hello")
    (folder / "dag.py").write_text(DAG)
    return folder


@pytest.mark.engine
async def test_the_reason_is_read_out_of_the_stopped_container(failing, home, leoflow):
    code, _ = leoflow.json("build", failing)
    assert code == 0
    task = await _run(home, failing, docker_executor())
    assert (task.state, task.exit_code) == ("failed", 1)
    assert task.reason == "ValueError: no rows (dag.py:7)"


async def test_the_reason_is_read_from_beside_a_subprocess(failing, home, leoflow, tmp_path):
    code, _ = leoflow.json("build", failing, "--output", tmp_path / "image")
    assert code == 0
    agent = Path(leoflow_agent.__file__).with_name("__main__.py")
    command = (sys.executable, "-I", "-S", str(agent))
    on_host = HostProject(command, failing, {"LEOFLOW_DAG_FOLDER": str(failing)})
    with pytest.warns(RuntimeWarning, match="plain subprocesses"):
        task = await _run(home, failing, subprocess_executor(lambda _: on_host))
    assert (task.state, task.exit_code) == ("failed", 1)
    assert task.reason == "ValueError: no rows (dag.py:7)"
