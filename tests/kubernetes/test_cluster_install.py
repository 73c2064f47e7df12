"""An installed server is replaced by one of another image while a run goes on, on a real cluster.
Run by `make test-kubernetes`."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from clusterground import Ground, calls_of, post
from clusterprobe import bare_pod, run_probe
from leoflow_controlplane.executor.cluster.calls import ApiCalls
from nodeimage import ROOT, Image, bring, make

from deploy.render import render

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.storage,
    pytest.mark.services,
    pytest.mark.timeout(1200),
]

Object = dict[str, Any]
# What the chart makes, as the API names it; a claim outlives the server.
PLACES = {
    "ServiceAccount": "/api/v1/namespaces/{}/serviceaccounts",
    "PersistentVolumeClaim": "/api/v1/namespaces/{}/persistentvolumeclaims",
    "Role": "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/roles",
    "RoleBinding": "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings",
    "Secret": "/api/v1/namespaces/{}/secrets",
    "Service": "/api/v1/namespaces/{}/services",
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
}
VALUES: Object = {
    "database": {"kind": "sqlite", "size": "1Gi"},
    "networkPolicy": {"enabled": False},
    "settings": {"max_parallel_tasks": 4},
}
DAG = """\
dag_id: replaced
tasks:
  one: {bash: sleep 15}
  two: {bash: sleep 15, upstream_task_ids: [one]}
  side: {bash: sleep 5, upstream_task_ids: [one]}
"""
RESOURCES = "defaults: {resources: {requests: {cpu: 100m, memory: 64Mi}}}\n"
CLIENT = """
import json, os, subprocess, time
def leoflow(*arguments):
    command = ["leoflow", *arguments, "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    return done.returncode, json.loads(done.stdout or "null")
with open("/tmp/dag.json", "w") as file:
    file.write(os.environ["DAG"])
until = time.monotonic() + 120
while leoflow("push", "/tmp/dag.json")[0] and time.monotonic() < until:
    time.sleep(1)
code, run = leoflow("trigger", "replaced", "--run-id", "mine", "--wait")
tasks = [[one["task_id"], one["state"], one["try_number"]] for one in run["tasks"]]
with open("/dev/termination-log", "w") as file:
    json.dump([code, tasks], file)
"""
START_SECONDS, RUN_SECONDS = 300, 600


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Two images of the server, on the nodes."""
    folder = tmp_path_factory.mktemp("servers")
    return make("server-image", "server", folder), make("server-image", "server", folder)


@pytest.fixture(scope="module")
def replaced(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """The DAG that runs meanwhile, on the nodes."""
    project = tmp_path_factory.mktemp("projects") / "replaced"
    project.mkdir()
    (project / "dag.yaml").write_text(DAG)
    (project / "leoflow.yaml").write_text(RESOURCES)
    return bring(project, tmp_path_factory.mktemp("built"))


async def test_a_run_goes_on_while_the_server_is_replaced(
    ground: Ground, servers: tuple[str, str], replaced: Image
) -> None:
    old, new = servers
    token = secrets.token_hex(32)
    async with calls_of(ground) as calls, installed(calls, old, token):
        pod = client_pod(old, token, replaced.dag)
        async with asyncio.timeout(RUN_SECONDS):
            client = asyncio.create_task(run_probe(calls, pod, RUN_SECONDS))
            await come(lambda: runs(calls))
            await change_image(calls, new)
            await come(lambda: serves(calls, new))
            end = await client
    assert end is not None
    assert end.well, end.words
    tried = [[name, "success", 1] for name in ("one", "side", "two")]
    code, tasks = json.loads(end.words)
    assert (code, sorted(tasks)) == (0, tried)


@asynccontextmanager
async def installed(calls: ApiCalls, image: str, token: str) -> AsyncIterator[None]:
    """Install a server by the chart, and wait until it answers."""
    text = render(ROOT / "deploy" / "helm" / "leoflow", VALUES, calls.namespace)
    found = list(yaml.safe_load_all(text))
    found.append(secret(token))
    found.sort(key=lambda one: list(PLACES).index(one["kind"]))
    found[-1]["spec"]["template"]["spec"]["containers"][0]["image"] = image
    made: list[str] = []
    try:
        for one in found:
            path = PLACES[one["kind"]].format(calls.namespace)
            await post(calls, path, one)
            made.append(f"{path}/{one['metadata']['name']}")
        await come(lambda: serves(calls, image))
        yield
    finally:
        for path in reversed(made):
            await calls._connection.ask("DELETE", path, {"propagationPolicy": "Background"})


def secret(token: str) -> Object:
    """Write the Secret that the chart's server reads."""
    head = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "leoflow"}}
    return {**head, "stringData": {"admin-token": token}}


def client_pod(image: str, token: str, dag: Path) -> Object:
    """Write a Pod that pushes a DAG, has it run, and tells how that ended."""
    pod = bare_pod("leoflow-client", image, ["python3", "-c", CLIENT])
    settings = {
        "LEOFLOW_SERVER": "http://leoflow:8080",
        "LEOFLOW_TOKEN": token,
        "LEOFLOW_HOME": "/tmp",
        "DAG": dag.read_text(encoding="utf-8"),
    }
    container = pod["spec"]["containers"][0]
    container["env"] = [{"name": name, "value": value} for name, value in settings.items()]
    container["resources"]["limits"] = {"memory": "256Mi"}
    return pod


async def runs(calls: ApiCalls) -> bool:
    """Tell whether a task of the DAG runs."""
    page = await calls.list_pods("leoflow.dev/dag-id=replaced")
    return any((one.get("status") or {}).get("phase") == "Running" for one in page.items)


async def serves(calls: ApiCalls, image: str) -> bool:
    """Tell whether a server of an image is ready, and no other is there."""
    pods = (await calls.list_pods("app.kubernetes.io/component=server")).items
    used = {one["spec"]["containers"][0]["image"] for one in pods}
    deployment = (await calls._connection.ask("GET", _deployment(calls))).json()
    return used == {image} and (deployment.get("status") or {}).get("readyReplicas") == 1


async def change_image(calls: ApiCalls, image: str) -> None:
    """Have the Deployment, which its controller writes as well, be of another image."""
    for _ in range(20):
        deployment = (await calls._connection.ask("GET", _deployment(calls))).json()
        deployment["spec"]["template"]["spec"]["containers"][0]["image"] = image
        answer = await calls._connection.ask("PUT", _deployment(calls), None, deployment)
        if answer.status != 409:
            answer.json()
            return


async def come(is_so: Callable[[], Any]) -> None:
    """Wait for what comes."""
    async with asyncio.timeout(START_SECONDS):
        while not await is_so():
            await asyncio.sleep(0.5)


def _deployment(calls: ApiCalls) -> str:
    return f"{PLACES['Deployment'].format(calls.namespace)}/leoflow"
