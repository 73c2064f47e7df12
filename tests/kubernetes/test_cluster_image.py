"""The agent in an image that leoflow did not build, by either way, on a real cluster. Run by
`make test-kubernetes`."""

from __future__ import annotations

from pathlib import Path

import pytest
from clusterground import Ground, running_plane
from leoflow_builder.dagjson import parse_built
from leoflow_controlplane.model import RunRequest
from nodeimage import Image, bring, bring_foreign, make

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

SETTINGS = "defaults: {resources: {requests: {cpu: 100m, memory: 64Mi}}}\n"
DAG = """\
import os

from leoflow import dag, task


@task
def look():
    found = os.listdir("/opt/leoflow")
    if found != ["dag"]:
        raise RuntimeError(f"an image that leoflow did not build has {found}")
    return "seen"


@dag
def foreign():
    look()


foreign()
"""


@pytest.fixture(scope="module")
def agents(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The image of agents, on the nodes."""
    return make("agent-image", "agents", tmp_path_factory.mktemp("agents"))


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """An image without an agent, on the nodes, and its DAG."""
    project = tmp_path_factory.mktemp("projects") / "foreign"
    project.mkdir()
    (project / "dag.py").write_text(DAG)
    (project / "leoflow.yaml").write_text(SETTINGS)
    built = bring(project, tmp_path_factory.mktemp("built"))
    return bring_foreign(built, tmp_path_factory.mktemp("foreign"))


@pytest.mark.parametrize(
    "mount", ["init-container", pytest.param("image-volume", marks=pytest.mark.imagevolume)]
)
async def test_a_task_runs_in_an_image_that_leoflow_did_not_build(
    ground: Ground, agents: str, foreign: Image, mount: str, tmp_path: Path
) -> None:
    spec = parse_built(foreign.dag.read_bytes()).spec
    async with running_plane(ground, tmp_path, agent_image=agents, agent_mount=mount) as plane:
        key = await plane.create_run(RunRequest(spec, foreign.reference))
        [task] = (await plane.wait(key)).tasks
    assert task.state == "success", task.reason
