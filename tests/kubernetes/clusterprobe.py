"""Finds out, with Pods, what a cluster can do: where they reach this machine, whether images can be
volumes. What it cannot do is a reason not to try, never a failure.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from leoflow_controlplane.executor.cluster.calls import ApiCalls
from leoflow_controlplane.executor.cluster.connection import Connection
from leoflow_controlplane.executor.cluster.fault import NotThere, Refused
from leoflow_controlplane.executor.cluster.permission import FOR_PREPULL, find_missing
from nodeimage import LOADER, NAME_BYTES, Unready

SPARE, SWITCH = "LEOFLOW_TEST_NODE", "LEOFLOW_TEST_NODE_SWITCH"
PROBE_SECONDS, VOLUME_SECONDS, MOST_NODES = 180, 60, 20
PROBE = """
import sys, urllib.request
for url in sys.argv[2:]:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            if answer.read().decode() == sys.argv[1]:
                open("/dev/termination-log", "w").write(url)
                sys.exit()
    except OSError as error:
        print(url, error, flush=True)
sys.exit("none of these addresses answers")
"""
_STUCK = ("Error", "ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName")


class Lack(NamedTuple):
    """What is not tried on this cluster, and why."""

    what: str
    why: str


class End(NamedTuple):
    """How a probe ended. ``words``: its termination message, or why it does not run."""

    well: bool
    words: str


async def find_address(connection: Connection, image: str) -> tuple[str, str]:
    """Find where a Pod reaches this machine, by asking one; give that, and where to listen for it.
    Raises Unready."""
    given = os.environ.get("LEOFLOW_AGENT_URL")
    listen = os.environ.get("LEOFLOW_AGENT_LISTEN")
    port = int((listen or "").rpartition(":")[2] or urlsplit(given or "").port or _free_port())
    urls = [given] if given else [f"http://{host}:{port}" for host in _own_hosts(connection.host)]
    nonce = secrets.token_hex(8)
    server = await asyncio.start_server(_answering(nonce), (listen or ":").rpartition(":")[0], port)
    pod = bare_pod("leoflow-probe", image, ["python3", "-c", PROBE, nonce, *urls])
    async with server:
        end = await run_probe(ApiCalls(connection), pod, PROBE_SECONDS)
    if end is None:
        raise Unready(f"a first Pod, of '{image}', does not run within {PROBE_SECONDS} s")
    if not end.well and not end.words.startswith("none of these"):
        raise Unready(f"a first Pod, of '{image}', does not run: {end.words}")
    if not end.well:
        raise Unready(
            f"no Pod reaches this machine at {', '.join(urls)}. Set LEOFLOW_AGENT_URL to "
            "http://HOST:PORT at which they do, and LEOFLOW_AGENT_LISTEN to the address to listen "
            "at if it is another."
        )
    host = "0.0.0.0" if given else urlsplit(end.words).hostname
    return end.words, listen or f"{host}:{port}"


async def require_image(connection: Connection, image: str) -> None:
    """Have a Pod of the image run on each node, if nodes may be listed. Raises Unready."""
    try:
        nodes = await list_nodes(connection)
    except Refused:
        return
    names = [node["metadata"]["name"] for node in nodes if is_open(node)][:MOST_NODES]
    ends = await asyncio.gather(*(_run_on(connection, image, name) for name in names))
    for name, end in zip(names, ends, strict=True):
        if end is None or not end.well:
            words = end.words if end else f"not within {PROBE_SECONDS} s"
            raise Unready(
                f"no Pod of '{image}' runs on node '{name}': {words}. Every node has to have the "
                f"image or pull it: a command in {LOADER} loads it into each."
            )


async def find_lacks(connection: Connection, image: str) -> dict[str, Lack]:
    """Name the markers of what cannot be tried here, and say what it is, and why."""
    lacks = {}
    for marker, (what, find) in _ABILITIES.items():
        why = await find(connection, image)
        if why is not None:
            lacks[marker] = Lack(what, why)
    return lacks


async def list_nodes(connection: Connection) -> list[dict[str, Any]]:
    """List the nodes. Raises Refused."""
    nodes: list[dict[str, Any]] = (await connection.ask("GET", "/api/v1/nodes")).json()["items"]
    return nodes


def is_open(node: Mapping[str, Any]) -> bool:
    """Say whether a node takes Pods that tolerate nothing."""
    effects = {taint["effect"] for taint in node["spec"].get("taints") or ()}
    return not effects & {"NoSchedule", "NoExecute"}


async def _run_on(connection: Connection, image: str, node: str) -> End | None:
    pod = bare_pod("leoflow-probe", image, ["python3", "-c", "pass"])
    pod["spec"]["nodeName"] = node
    return await run_probe(ApiCalls(connection), pod, PROBE_SECONDS)


async def run_probe(calls: ApiCalls, pod: dict[str, Any], seconds: float) -> End | None:
    """Run a Pod, and remove it; None if it has not ended in time, and is not known to be stuck."""
    name = f"{pod['metadata']['name']}-{secrets.token_hex(NAME_BYTES)}"
    pod["metadata"]["name"] = name
    try:
        async with asyncio.timeout(seconds):
            await _create_soon(calls, pod)
            while (end := _end_of(await calls.get_pod(name))) is None:
                await asyncio.sleep(0.2)
            return end
    except TimeoutError:
        return None
    finally:
        await calls.delete_pod(name, 1)


def bare_pod(name: str, image: str, command: list[str]) -> dict[str, Any]:
    """Write a Pod of one container that passes the standard "restricted"."""
    security = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    container = {
        "name": "task",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": command,
        "resources": {
            "requests": {"cpu": "100m", "memory": "64Mi"},
            "limits": {"memory": "64Mi"},
        },
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": security,
    }
    spec = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "containers": [container],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


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
        end = await run_probe(ApiCalls(connection), pod, VOLUME_SECONDS)
    except Refused as fault:
        return f"the cluster refuses a Pod with an image volume: {fault.words}"
    if end is None:
        return f"a Pod with an image volume does not run within {VOLUME_SECONDS} s"
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


_Find = Callable[[Connection, str], Awaitable[str | None]]
_ABILITIES: dict[str, tuple[str, _Find]] = {
    "storage": ("the folder that the tries of a run share", _lacks_storage),
    "imagevolume": ("an agent that is mounted as an image volume", _lacks_image_volumes),
    "prepull": ("pulling ahead", _lacks_prepull),
    "nodes": ("pulling ahead on some of several nodes", _lacks_nodes),
    "sparenode": ("a node that is drained or given a taint", _lacks_spare_node),
    "nodeswitch": ("a node that dies, or is deleted", _lacks_switch),
}


async def _create_soon(calls: ApiCalls, pod: dict[str, Any]) -> None:
    """Create a Pod in a namespace that may be too new to have its service account."""
    for _ in range(50):
        try:
            await calls.create_pod(pod)
            return
        except Refused as fault:
            if "service account" not in fault.words:
                raise
        await asyncio.sleep(0.2)
    await calls.create_pod(pod)


def _end_of(pod: Mapping[str, Any] | None) -> End | None:
    status = (pod or {}).get("status") or {}
    for one in status.get("containerStatuses") or ():
        state = one.get("state") or {}
        if ended := state.get("terminated"):
            words = ended.get("message") or ended.get("reason") or ""
            return End(ended["exitCode"] == 0, words.strip())
        waiting = state.get("waiting") or {}
        if waiting.get("reason", "").endswith(_STUCK):
            return End(False, f"{waiting['reason']}: {waiting.get('message', '')}")
    return None


def _answering(nonce: str) -> Any:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(nonce)}\r\nConnection: close\r\n\r\n"
        writer.write((head + nonce).encode())
        await writer.drain()
        writer.close()

    return answer


def _own_hosts(api_server: str) -> list[str]:
    """Give the addresses of this machine: those on the way to the world and to the API server."""
    found: dict[str, None] = {}
    for target in ("192.0.2.1", urlsplit(api_server).hostname or "127.0.0.1"):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect((target, 9))
            except OSError:
                continue
            found[probe.getsockname()[0]] = None
    for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET):
        found[str(info[4][0])] = None
    return [host for host in found if not host.startswith("127.")] or ["127.0.0.1"]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])
