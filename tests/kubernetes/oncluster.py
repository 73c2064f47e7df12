"""`make test-kubernetes`: prepares a real cluster, runs on it what is marked ``cluster``, cleans up
and says what could not be tried. See docs/testing-on-kubernetes.md.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shlex
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from leoflow_controlplane.error import ControlPlaneError
from leoflow_controlplane.executor.cluster.calls import ApiCalls
from leoflow_controlplane.executor.cluster.connect import choose_access
from leoflow_controlplane.executor.cluster.connection import Connection
from leoflow_controlplane.executor.cluster.fault import NotThere, Refused

ROOT = Path(__file__).parents[2]
NOOP = ROOT / "benchmarks" / "coldstart" / "noop"
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}
OURS = "LEOFLOW_TEST_"
PROBE_SECONDS, NAME_BYTES = 180, 3
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


class Unready(Exception):
    """The cluster cannot be tested on; the text says what to set."""


class Image(NamedTuple):
    """An image that the nodes can have, and the dag.json that was built with it."""

    reference: str
    dag: Path


async def main() -> int:
    """Prepare, run the tests, clean up; return the exit code of the tests."""
    access = choose_access(os.environ, os.environ.get("LEOFLOW_KUBERNETES_CONTEXT"), None)
    connection = Connection(access)
    await connection.open()
    try:
        async with _namespace(connection) as namespace:
            # A connection knows its namespace from the start.
            await connection.close()
            connection = Connection(access._replace(namespace=namespace))
            await connection.open()
            with tempfile.TemporaryDirectory(prefix="leoflow-") as folder:
                return await _prepare_and_test(connection, Path(folder))
    finally:
        await connection.close()


async def _prepare_and_test(connection: Connection, folder: Path) -> int:
    image = await asyncio.to_thread(bring, NOOP, folder)
    print(f"image       {image.reference}", flush=True)
    url, listen = await _find_address(connection, image.reference)
    print(f"agents      {url}, listening at {listen}", flush=True)
    missing = await _missing(connection)
    environment = {
        **os.environ,
        "LEOFLOW_TEST_KUBECONFIG": os.environ.get("KUBECONFIG")
        or str(Path.home() / ".kube/config"),
        "LEOFLOW_TEST_NAMESPACE": connection.namespace,
        "LEOFLOW_KUBERNETES_NAMESPACE": connection.namespace,
        "LEOFLOW_TEST_IMAGE": image.reference,
        "LEOFLOW_TEST_DAG": str(image.dag),
        "LEOFLOW_AGENT_URL": url,
        "LEOFLOW_AGENT_LISTEN": listen,
    }
    wanted = " and ".join(["cluster", *(f"not {name}" for name in missing)])
    command = [sys.executable, "-m", "pytest", "-m", wanted, "-rA", "--durations=10"]
    command += [str(Path(__file__).parent), *sys.argv[1:]]
    tests = await asyncio.create_subprocess_exec(*command, cwd=ROOT, env=environment)
    code = await tests.wait()
    for name, why in missing.items():
        print(f"NOT TRIED   what is marked '{name}': {why}", flush=True)
    return code


def bring(project: Path, folder: Path) -> Image:
    """Build a project, and bring its image where the nodes find it. Raises Unready."""
    registry, loader = (
        os.environ.get(name) for name in ("LEOFLOW_TEST_REGISTRY", "LEOFLOW_IMAGE_LOADER")
    )
    if not registry and not loader:
        raise Unready(
            "the nodes have to get an image. Set LEOFLOW_TEST_REGISTRY to HOST/PATH of a registry "
            "that you may push to and they may pull from, or LEOFLOW_IMAGE_LOADER to a command "
            "that is given an archive and a reference, and loads it into the nodes."
        )
    own = folder / project.name
    subprocess.run(["cp", "-r", str(project), str(own)], check=True)
    # A node that an image was loaded into may not know it by its digest: no registry's name.
    reference = f"{registry or 'leoflow'}/{project.name}:{secrets.token_hex(NAME_BYTES)}"
    archive = folder / f"{project.name}.tar"
    where = ["--push"] if registry else ["--output", str(archive)]
    leoflow = [str(Path(sys.executable).with_name("leoflow"))]
    build = [*leoflow, "build", str(own), "--tag", reference, *where, "--json"]
    environment = without_ours(os.environ)
    done = subprocess.run(build, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise Unready(f"'leoflow build {project}' failed: see above")
    if registry:
        reference = f"{reference}@{json.loads(done.stdout)['digest']}"
    else:
        subprocess.run([*shlex.split(loader or ""), str(archive), reference], check=True)
        archive.unlink()
    return Image(reference, own / "dag.json")


def without_ours(environment: Mapping[str, str]) -> dict[str, str]:
    """Leave out the variables of these tests: leoflow refuses those that it does not know."""
    return {name: value for name, value in environment.items() if not name.startswith(OURS)}


@asynccontextmanager
async def _namespace(connection: Connection) -> AsyncIterator[str]:
    """Give a namespace that holds Pods to the standard "restricted", and is gone in the end if it
    is of our making."""
    given = os.environ.get("LEOFLOW_TEST_NAMESPACE")
    name = given or f"leoflow-test-{secrets.token_hex(NAME_BYTES)}"
    if not given:
        metadata = {"name": name, "labels": RESTRICTED}
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
        try:
            (await connection.ask("POST", "/api/v1/namespaces", None, body)).json()
        except Refused as fault:
            raise Unready(
                f"no namespace can be made: {fault.words}. Set LEOFLOW_TEST_NAMESPACE to one that "
                "is there."
            ) from None
    print(f"cluster     {connection.host}, namespace {name}", flush=True)
    try:
        yield name
    finally:
        if not given:
            again = Connection(choose_access(os.environ, None, name))
            await again.open()
            await again.ask("DELETE", f"/api/v1/namespaces/{name}")
            await again.close()


async def _find_address(connection: Connection, image: str) -> tuple[str, str]:
    """Find where a Pod reaches this machine, by asking one. Raises Unready."""
    given = os.environ.get("LEOFLOW_AGENT_URL")
    listen = os.environ.get("LEOFLOW_AGENT_LISTEN")
    port = int((listen or "").rpartition(":")[2] or urlsplit(given or "").port or _free_port())
    urls = [given] if given else [f"http://{host}:{port}" for host in _own_hosts(connection.host)]
    nonce = secrets.token_hex(8)
    server = await asyncio.start_server(_answering(nonce), (listen or ":").rpartition(":")[0], port)
    async with server:
        found = await _probe(ApiCalls(connection), image, [nonce, *urls])
    if not found:
        raise Unready(
            f"no Pod reaches this machine at {', '.join(urls)}. Set LEOFLOW_AGENT_URL to "
            "http://HOST:PORT at which they do, and LEOFLOW_AGENT_LISTEN to the address to listen "
            "at if it is another."
        )
    return found, listen or f"{urlsplit(found).hostname if not given else '0.0.0.0'}:{port}"


def _answering(nonce: str) -> Any:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(nonce)}\r\nConnection: close\r\n\r\n"
        writer.write((head + nonce).encode())
        await writer.drain()
        writer.close()

    return answer


async def _probe(calls: ApiCalls, image: str, words: list[str]) -> str:
    name = f"leoflow-probe-{secrets.token_hex(NAME_BYTES)}"
    pod = bare_pod(name, image, ["python3", "-c", PROBE, *words])
    status: dict[str, Any] = {}
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            await _create_soon(calls, pod)
            while True:
                found = await calls.get_pod(name)
                status = (found or {}).get("status") or {}
                if status.get("phase") in ("Succeeded", "Failed"):
                    ended = status["containerStatuses"][0]["state"]["terminated"]
                    return str(ended.get("message") or "") if ended["exitCode"] == 0 else ""
                await asyncio.sleep(0.2)
    except TimeoutError:
        waits = [one.get("state") for one in status.get("containerStatuses") or ()]
        raise Unready(f"a first Pod of '{image}' does not run: {waits}") from None
    finally:
        await calls.delete_pod(name, 1)


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
        "securityContext": security,
    }
    spec = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "containers": [container],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


async def _missing(connection: Connection) -> dict[str, str]:
    """Name the markers of what this cluster has not, and say what it is."""
    path = "/apis/storage.k8s.io/v1/storageclasses"
    mark = "storageclass.kubernetes.io/is-default-class"
    try:
        classes = (await connection.ask("GET", path)).json()["items"]
    except (NotThere, Refused) as fault:
        return {"storage": f"its StorageClasses cannot be read: {fault.words}"}
    defaults = [
        one for one in classes if (one["metadata"].get("annotations") or {}).get(mark) == "true"
    ]
    return {} if defaults else {"storage": "the cluster has no default StorageClass"}


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


if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(main()))
    except (Unready, ControlPlaneError) as error:
        sys.exit(f"test-kubernetes: {error}")
