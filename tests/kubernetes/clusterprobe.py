"""Finds out with Pods what the tests need: nodes that have an image, and an address at which they
reach this machine.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from leoflow_controlplane.executor.cluster.calls import ApiCalls
from leoflow_controlplane.executor.cluster.connection import Connection
from leoflow_controlplane.executor.cluster.fault import Refused
from nodeimage import LOADER, NAME_BYTES, Unready

PROBE_SECONDS, MOST_NODES = 180, 20
NO_ANSWER = "none of these addresses answers"
PROBE = f"""
import sys, urllib.request
for url in sys.argv[2:]:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            if answer.read().decode() == sys.argv[1]:
                open("/dev/termination-log", "w").write(url)
                sys.exit()
    except OSError as error:
        print(url, error, flush=True)
sys.exit("{NO_ANSWER}")
"""
_STUCK = ("Error", "ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName")


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
    if not end.well and NO_ANSWER not in end.words:
        raise Unready(f"a first Pod, of '{image}', does not run: {end.words}")
    if not end.well:
        raise Unready(
            f"no Pod reaches this machine at {', '.join(urls)}. Set LEOFLOW_AGENT_URL to "
            "http://HOST:PORT at which they do, and LEOFLOW_AGENT_LISTEN to the address to listen "
            f"at if it is another. What the Pod said: {end.words}"
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
