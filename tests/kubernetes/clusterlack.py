"""What a cluster has not, and what is not tried on it for that: a reason, never a failure."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from clusterpolicy import listening, look
from clusterprobe import bare_pod, is_open, list_nodes, run_probe
from leoflow_controlplane.executor.cluster.calls import ApiCalls
from leoflow_controlplane.executor.cluster.connection import Connection
from leoflow_controlplane.executor.cluster.fault import NotThere, Refused
from leoflow_controlplane.executor.cluster.permission import FOR_PREPULL, find_missing
from nodeimage import Unready

SPARE, SWITCH = "LEOFLOW_TEST_NODE", "LEOFLOW_TEST_NODE_SWITCH"
PRIVATE = "LEOFLOW_TEST_PRIVATE_REGISTRY"
PROBE_SECONDS = 60


class Lack(NamedTuple):
    """What is not tried on this cluster, and why."""

    what: str
    why: str


async def find_lacks(connection: Connection, image: str) -> dict[str, Lack]:
    """Name the markers of what cannot be tried here, and say what it is, and why."""
    lacks = {}
    for marker, (what, find) in _ABILITIES.items():
        why = await find(connection, image)
        if why is not None:
            lacks[marker] = Lack(what, why)
    return lacks


async def _lacks_storage(connection: Connection, _: str) -> str | None:
    path = "/apis/storage.k8s.io/v1/storageclasses"
    mark = "storageclass.kubernetes.io/is-default-class"
    try:
        classes = (await connection.ask("GET", path)).json()["items"]
    except (NotThere, Refused) as fault:
        return f"its StorageClasses cannot be read: {fault.words}"
    marks = [one["metadata"].get("annotations") or {} for one in classes]
    has_default = any(one.get(mark) == "true" for one in marks)
    return None if has_default else "the cluster has no default StorageClass"


async def _lacks_image_volumes(connection: Connection, image: str) -> str | None:
    pod = bare_pod("leoflow-probe", image, ["python3", "-c", "import os; os.listdir('/v/usr')"])
    pod["spec"]["volumes"] = [
        {"name": "v", "image": {"reference": image, "pullPolicy": "IfNotPresent"}}
    ]
    pod["spec"]["containers"][0]["volumeMounts"] = [{"name": "v", "mountPath": "/v"}]
    try:
        end = await run_probe(ApiCalls(connection), pod, PROBE_SECONDS)
    except Refused as fault:
        return f"the cluster refuses a Pod with an image volume: {fault.words}"
    if end is None:
        return f"a Pod with an image volume does not run within {PROBE_SECONDS} s"
    return None if end.well else f"a Pod with an image volume does not run: {end.words}"


async def _lacks_prepull(connection: Connection, _: str) -> str | None:
    missing = await find_missing(connection, FOR_PREPULL)
    return f"not permitted: {', '.join(map(str, missing))}" if missing else None


async def _lacks_nodes(connection: Connection, image: str) -> str | None:
    if why := await _lacks_prepull(connection, image):
        return why
    try:
        nodes = await list_nodes(connection)
    except Refused as fault:
        return f"its nodes cannot be listed: {fault.words}"
    count = sum(map(is_open, nodes))
    return None if count > 1 else f"nodes that take every Pod: {count}"


async def _lacks_spare_node(connection: Connection, _: str) -> str | None:
    name = os.environ.get(SPARE)
    if not name:
        return f"{SPARE} names no node that tests may drain"
    try:
        nodes = await list_nodes(connection)
    except Refused as fault:
        return f"its nodes cannot be listed: {fault.words}"
    found = [one for one in nodes if one["metadata"]["name"] == name]
    if not found:
        raise Unready(f"{SPARE} is '{name}', and there is no such node")
    return None if is_open(found[0]) else f"node '{name}' takes no Pods"


async def _lacks_switch(connection: Connection, image: str) -> str | None:
    if why := await _lacks_spare_node(connection, image):
        return why
    return None if os.environ.get(SWITCH) else f"{SWITCH} names no command"


async def _lacks_private_registry(_: Connection, __: str) -> str | None:
    return None if os.environ.get(PRIVATE) else f"{PRIVATE} names no registry that asks who pulls"


async def _lacks_services(connection: Connection, image: str) -> str | None:
    ask = "import socket; socket.create_connection(('kubernetes.default.svc', 443), 10)"
    pod = bare_pod("leoflow-probe", image, ["python3", "-c", ask])
    end = await run_probe(ApiCalls(connection), pod, PROBE_SECONDS)
    if end is None:
        return f"a Pod that looks for a Service does not end within {PROBE_SECONDS} s"
    return None if end.well else "no Pod reaches a Service by its name"


async def _lacks_policies(connection: Connection, image: str) -> str | None:
    calls = ApiCalls(connection)
    path = f"/apis/networking.k8s.io/v1/namespaces/{connection.namespace}/networkpolicies"
    label = {"leoflow-probe": "policy"}
    selector = {"podSelector": {"matchLabels": label}, "policyTypes": ["Ingress"]}
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "leoflow-probe"},
        "spec": selector,
    }
    async with listening(calls, image, "leoflow-probe", label) as address:
        if not (await look(calls, image, {}, {address: True}))[address]:
            return "no Pod reaches another one"
        try:
            (await connection.ask("POST", path, None, policy)).json()
        except Refused as fault:
            return f"no NetworkPolicy can be made: {fault.words}"
        try:
            reached = (await look(calls, image, {}, {address: False}))[address]
        finally:
            await connection.ask("DELETE", f"{path}/leoflow-probe")
    return "no network plugin keeps to a NetworkPolicy" if reached else None


_Find = Callable[[Connection, str], Awaitable[str | None]]
_ABILITIES: dict[str, tuple[str, _Find]] = {
    "storage": ("what takes volumes: folders of runs, an installed server", _lacks_storage),
    "imagevolume": ("an agent that is mounted as an image volume", _lacks_image_volumes),
    "prepull": ("pulling ahead", _lacks_prepull),
    "nodes": ("pulling ahead on some of several nodes", _lacks_nodes),
    "sparenode": ("a node that is drained or given a taint", _lacks_spare_node),
    "nodeswitch": ("a node that dies, or is deleted", _lacks_switch),
    "privateregistry": ("pulls from a registry that asks who pulls", _lacks_private_registry),
    "services": ("an installed server that is replaced", _lacks_services),
    "networkpolicy": ("the chart's NetworkPolicies, by traffic", _lacks_policies),
}
