"""Bare Pods on a cluster: what Kubernetes itself takes from a Pod's creation to its first line.

Uses no part of leoflow but an image. The package `kubernetes` is imported only when asked for.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, NamedTuple

from leoflow_agent.action import PythonAction
from leoflow_agent.spec import DagSpec, Quantities, Resources, Source, TaskSpec
from leoflow_agent.wire import Inputs
from leoflow_controlplane.model import NOT_MAPPED, TryKey
from leoflow_controlplane.setting import Settings
from leoflow_controlplane.workload import Dispatch, RunContext, encode_workload, make_workload

from benchmarks.build.process import BenchError
from benchmarks.coldstart.line import PRINT_LINE, read_line
from benchmarks.coldstart.round import Scenario
from benchmarks.coldstart.stage import Sample

POD_SECONDS, CALL_SECONDS = 100, 10
LABEL = "leoflow-bench"
MISSING = (
    "Kubernetes cannot be measured: {}. It takes a cluster that KUBECONFIG names, an image that "
    "the cluster can pull ('leoflow build benchmarks/coldstart/noop --push --tag REF'), and the "
    "package: pip install kubernetes"
)
# Nobody listens there: the task runs and prints, and its verdict stays in the Pod.
NOWHERE = "http://127.0.0.1:9"
INSTANT = "2026-01-01T00:00:00+00:00"


class Cluster(NamedTuple):
    """A connection to a cluster, and the image that its Pods are of."""

    api: Any
    watch: Any
    namespace: str
    image: str


def connect(image: str) -> Cluster:
    """Connect to the cluster of the current context; BenchError says what is missing."""
    try:
        from kubernetes import client, config, watch
    except ImportError as error:
        raise BenchError(MISSING.format(f"{error}")) from None
    try:
        config.load_kube_config()
        context = config.list_kube_config_contexts()[1]["context"]
    except (config.ConfigException, OSError) as error:
        raise BenchError(MISSING.format(error)) from None
    cluster = Cluster(client.CoreV1Api(), watch, context.get("namespace", "default"), image)
    with _answering():
        cluster.api.list_namespaced_pod(cluster.namespace, limit=1, _request_timeout=CALL_SECONDS)
    return cluster


def facts(cluster: Cluster) -> dict[str, Any]:
    """Return facts of the cluster; none of them tells whose it is."""
    from kubernetes import client

    with _answering():
        nodes = cluster.api.list_node(_request_timeout=CALL_SECONDS).items
        version = client.VersionApi(cluster.api.api_client).get_code()
    node = nodes[0].status.node_info
    return {
        "kubernetes": version.git_version,
        "nodes": len(nodes),
        "cores": nodes[0].status.capacity["cpu"],
        "architecture": node.architecture,
        "kernel": node.kernel_version,
        "runtime": node.container_runtime_version,
    }


def pod(name: str, image: str, command: Sequence[str], workload: str | None) -> dict[str, Any]:
    """Write a Pod of one container that is never started again; no command: the image's own."""
    container: dict[str, Any] = {
        "name": "task",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}},
    }
    if command:
        container["command"] = list(command)
    if workload is not None:
        container["env"] = [{"name": "LEOFLOW_WORKLOAD", "value": workload}]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": LABEL}},
        "spec": {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": False,
            "containers": [container],
        },
    }


def measures(found: Mapping[str, Any], asked: float, answered: float, log: str) -> dict[str, float]:
    """Turn a Pod as the API gives it into milliseconds since it was asked for.

    The API's own instants are whole seconds: what is derived from them may be a second early.
    """
    status = found["status"]
    state = status["containerStatuses"][0]["state"]
    ran = state.get("running") or state.get("terminated")
    instants = {"created": answered, "container_started": _instant(ran["startedAt"])}
    for condition in status["conditions"]:
        if condition["status"] == "True":
            instants[f"condition_{condition['type']}"] = _instant(condition["lastTransitionTime"])
    line = read_line(log)
    if line is None:
        raise BenchError(f"Pod '{found['metadata']['name']}' did not print its line: '{log[:200]}'")
    instants["total"] = line.clock
    return {name: (at - asked) * 1000 for name, at in instants.items()}


def no_op_workload() -> str:
    """Write the workload of the no-op task, for an agent that has no control plane."""
    resources = Resources(Quantities(100, 64 * 2**20))
    task = TaskSpec("clock", PythonAction("dag"), resources, Source("dag.py", 1))
    dispatch = Dispatch(
        key=TryKey("noop", "bench", "clock", NOT_MAPPED, 1),
        dag=DagSpec("noop", "3.11", (task,)),
        task=task,
        image="",
        run=RunContext(INSTANT, INSTANT, INSTANT, {}, {}),
        inputs=Inputs(args=[], kwargs={}, environment={}, request=None),
        token=secrets.token_hex(8),
        inline=False,
        max_tries=1,
        artifacts=None,
    )
    return encode_workload(make_workload(dispatch, NOWHERE, Settings(max_parallel_tasks=1)))


@contextmanager
def _answering() -> Iterator[None]:
    """Turn what the client raises into BenchError."""
    from kubernetes.client import ApiException
    from urllib3.exceptions import HTTPError

    try:
        yield
    except (ApiException, HTTPError) as error:
        reason = getattr(error, "reason", None) or error
        raise BenchError(MISSING.format(f"the cluster answers '{reason}'")) from error


def _instant(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


async def _bare(cluster: Cluster) -> Sample:
    command = ("python3.11", "-I", "-S", "-c", PRINT_LINE)
    return await asyncio.to_thread(_run, cluster, command, None)


async def _agent(cluster: Cluster) -> Sample:
    return await asyncio.to_thread(_run, cluster, (), no_op_workload())


def _run(cluster: Cluster, command: Sequence[str], workload: str | None) -> Sample:
    name = f"{LABEL}-{secrets.token_hex(5)}"
    body = pod(name, cluster.image, command, workload)
    api, namespace = cluster.api, cluster.namespace
    with _answering():
        asked = time.time()
        api.create_namespaced_pod(namespace, body, _request_timeout=CALL_SECONDS)
        answered = time.time()
        try:
            log = _first_line(cluster, name)
            found = api.read_namespaced_pod(name, namespace, _request_timeout=CALL_SECONDS)
            document = api.api_client.sanitize_for_serialization(found)
        finally:
            api.delete_namespaced_pod(name, namespace, grace_period_seconds=0)
    return measures(document, asked, answered, log)


def _first_line(cluster: Cluster, name: str) -> str:
    """Wait until the container has started, then for its first line."""
    events = cluster.watch.Watch().stream(
        cluster.api.list_namespaced_pod,
        cluster.namespace,
        field_selector=f"metadata.name={name}",
        timeout_seconds=POD_SECONDS,
    )
    for event in events:
        if event["object"].status.phase in ("Running", "Succeeded", "Failed"):
            lines = cluster.watch.Watch().stream(
                cluster.api.read_namespaced_pod_log,
                name,
                cluster.namespace,
                _request_timeout=CALL_SECONDS,
            )
            return str(next(iter(lines), ""))
    raise BenchError(f"Pod '{name}' did not start within {POD_SECONDS} s")


POD_SCENARIOS: Sequence[Scenario[Cluster]] = (
    Scenario("pod_bare", "a Pod of the bare interpreter, to its first line", (), _bare, "pods"),
    Scenario("pod_agent", "a Pod of the agent, to the task's first line", (), _agent, "pods"),
)
