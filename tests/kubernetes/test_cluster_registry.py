"""Pulls from a registry that asks who pulls, on a real cluster whose nodes reach one. Run by
`make test-kubernetes`."""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from clusterground import Dressed, Ground, calls_of, opened, post
from clusterlack import PRIVATE
from executor_contract import make_launch, run_one
from leoflow_agent.podoption import PodOptions
from leoflow_builder.registry.credential import docker_credentials
from leoflow_controlplane.executor.cluster.calls import ApiCalls
from leoflow_controlplane.pod.pullfault import SECRET_ADVICE
from leoflow_controlplane.verdict import Exit
from nodeimage import push

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.privateregistry,
    pytest.mark.timeout(600),
]

RESOURCES = "defaults: {resources: {requests: {cpu: 100m, memory: 64Mi}}}\n"


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An image that no node has, in the registry, by its digest."""
    project = tmp_path_factory.mktemp("private") / "private"
    project.mkdir()
    (project / "leoflow.yaml").write_text(RESOURCES)
    tasks = f"tasks:\n  say: {{bash: 'echo {secrets.token_hex(8)}'}}\n"
    (project / "dag.yaml").write_text(f"dag_id: private\n{tasks}")
    return push(project, os.environ[PRIVATE], project.parent)


@pytest.fixture
async def made(ground: Ground, tmp_path: Path) -> AsyncIterator[Dressed]:
    async with opened(ground, tmp_path / "home") as executor:
        yield executor


async def test_a_registry_lets_in_who_has_the_right_secret(
    made: Dressed, ground: Ground, image: str
) -> None:
    """What fails comes first: older nodes give an image that they have to whoever asks."""
    host, _, path = os.environ[PRIVATE].partition("/")
    found = docker_credentials()(host, path)
    assert found, f"log in to '{host}' first"
    async with calls_of(ground) as calls:
        await make_secret(calls, "leoflow-wrong", host, found.username, "wrong")
        await make_secret(calls, "leoflow-right", host, found.username, found.password)
    assert "cannot be pulled" in await refused(made, image, 1, "leoflow-wrong")
    assert "(leoflow-no-such)" in await refused(made, image, 2, "leoflow-no-such")
    await refused(made, image, 3)
    assert await pull(made, image, 4, "leoflow-right") == Exit(0)


async def refused(made: Dressed, image: str, number: int, *names: str) -> str:
    """Try to pull; give the reason why it is told, once and for all, that it cannot be."""
    exit = await pull(made, image, number, *names)
    assert (exit.final, exit.machinery) == (True, False), exit.reason
    assert (exit.reason or "").endswith(SECRET_ADVICE)
    return exit.reason or ""


async def pull(made: Dressed, image: str, number: int, *names: str) -> Exit:
    """Run a task of the image with these secrets."""
    options = PodOptions(image_pull_secrets=names)
    launch = make_launch("exit:0", number, image=image, kubernetes=options)
    return (await run_one(made, launch)).exit


async def make_secret(calls: ApiCalls, name: str, host: str, user: str, password: str) -> None:
    """Write what `kubectl create secret docker-registry` does."""
    auth = base64.b64encode(f"{user}:{password}".encode()).decode()
    body = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name},
        "type": "kubernetes.io/dockerconfigjson",
        "stringData": {".dockerconfigjson": json.dumps({"auths": {host: {"auth": auth}}})},
    }
    await post(calls, f"/api/v1/namespaces/{calls.namespace}/secrets", body)
