"""The emulator itself, asked by the official client: it has to be what executors believe it is."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from emulator.cluster import NAMESPACE


def make_pod(name: str, **variables: str) -> dict[str, Any]:
    """Write a Pod whose container does as BEHAVE and becomes what FATE says."""
    env = [{"name": key, "value": value} for key, value in variables.items()]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": "test", "name": name}},
        "spec": {
            "restartPolicy": "Never",
            "containers": [{"name": "task", "image": "image", "env": env}],
        },
    }


async def ask(core: Any, method: str, path: str, body: Any = None, **query: str) -> Any:
    """Call the API by path; give the code and the document."""
    from kubernetes.aio.client import ApiException

    try:
        answer = await core.api_client.call_api(
            path,
            method,
            query_params=list(query.items()),
            body=body,
            _preload_content=False,
            header_params={"Content-Type": "application/json"},
        )
        return answer.status, json.loads(await answer.read())
    except ApiException as error:
        return error.status, json.loads(error.body)


PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"


async def until(core: Any, name: str, *phases: str) -> Any:
    """Wait until a Pod is in a phase."""
    async with asyncio.timeout(10):
        while True:
            pod = await core.read_namespaced_pod(name, NAMESPACE)
            if pod.status.phase in phases:
                return pod
            await asyncio.sleep(0.005)


async def test_a_pod_runs_to_its_end(core: Any) -> None:
    await core.create_namespaced_pod(NAMESPACE, make_pod("p", BEHAVE="print:hello"))
    pod = await until(core, "p", "Succeeded", "Failed")
    ended = pod.status.container_statuses[0].state.terminated
    assert (pod.status.phase, ended.exit_code, ended.reason) == ("Failed", 7, "Error")
    assert await core.read_namespaced_pod_log("p", NAMESPACE) == "hello\n"
    await core.delete_namespaced_pod("p", NAMESPACE)
    assert (await core.list_namespaced_pod(NAMESPACE)).items == []
