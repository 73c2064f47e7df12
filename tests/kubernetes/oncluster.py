"""`make test-kubernetes`: prepares a real cluster, runs on it what is marked ``cluster``, cleans up
and says what could not be tried. See docs/testing-on-kubernetes.md.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from clusterlack import find_lacks
from clusterprobe import find_address, require_image
from leoflow_controlplane.error import ControlPlaneError
from leoflow_controlplane.executor.cluster.connect import Access, choose_access
from leoflow_controlplane.executor.cluster.connection import Connection
from leoflow_controlplane.executor.cluster.fault import NotThere, Refused
from nodeimage import NAME_BYTES, ROOT, Unready, bring, require_way

NOOP = ROOT / "benchmarks" / "coldstart" / "noop"
RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}
NAMESPACE, CONTEXT = "LEOFLOW_TEST_NAMESPACE", "LEOFLOW_KUBERNETES_CONTEXT"


async def main() -> int:
    """Prepare, run the tests, clean up; return the exit code of the tests."""
    # A job that is stopped cleans up, as one that is interrupted does.
    me: Any = asyncio.current_task()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, me.cancel)
    require_way()
    access = choose_access(os.environ, os.environ.get(CONTEXT), None)
    with tempfile.TemporaryDirectory(prefix="leoflow-") as folder:
        async with (
            _namespace(access) as namespace,
            _connected(access._replace(namespace=namespace)) as connection,
        ):
            return await _prepare_and_test(connection, Path(folder))


async def _prepare_and_test(connection: Connection, folder: Path) -> int:
    image = await asyncio.to_thread(bring, NOOP, folder)
    print(f"image       {image.reference}", flush=True)
    await require_image(connection, image.reference)
    url, listen = await find_address(connection, image.reference)
    print(f"agents      {url}, listening at {listen}", flush=True)
    lacks = await find_lacks(connection, image.reference)
    environment = {
        **os.environ,
        "LEOFLOW_TEST_KUBECONFIG": os.environ.get("KUBECONFIG")
        or str(Path.home() / ".kube/config"),
        NAMESPACE: connection.namespace,
        "LEOFLOW_KUBERNETES_NAMESPACE": connection.namespace,
        "LEOFLOW_TEST_IMAGE": image.reference,
        "LEOFLOW_TEST_DAG": str(image.dag),
        "LEOFLOW_AGENT_URL": url,
        "LEOFLOW_AGENT_LISTEN": listen,
    }
    wanted = " and ".join(["cluster", *(f"not {marker}" for marker in lacks)])
    command = [sys.executable, "-m", "pytest", "-m", wanted, "-rA", "--durations=10"]
    command += [str(Path(__file__).parent), *sys.argv[1:]]
    tests = await asyncio.create_subprocess_exec(*command, cwd=ROOT, env=environment)
    try:
        code = await tests.wait()
    finally:
        with suppress(ProcessLookupError):
            tests.terminate()
    for what, why in lacks.values():
        print(f"NOT TRIED   {what}: {why}", flush=True)
    return code


@asynccontextmanager
async def _connected(access: Access) -> AsyncIterator[Connection]:
    connection = Connection(access)
    await connection.open()
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def _namespace(access: Access) -> AsyncIterator[str]:
    """Give a namespace that holds Pods to the standard "restricted", and is gone in the end if it
    is of our making."""
    given = os.environ.get(NAMESPACE)
    name = given or f"leoflow-test-{secrets.token_hex(NAME_BYTES)}"
    path = f"/api/v1/namespaces/{name}"
    async with _connected(access) as connection:
        try:
            if given:
                await _require_namespace(connection, name)
            else:
                metadata = {"name": name, "labels": RESTRICTED}
                body = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
                (await connection.ask("POST", "/api/v1/namespaces", None, body)).json()
        except Refused as fault:
            raise Unready(
                f"no namespace can be made: {fault.words}. Set {NAMESPACE} to one that is there."
            ) from None
        print(f"cluster     {connection.host}, namespace {name}", flush=True)
    try:
        yield name
    finally:
        if not given:
            async with _connected(access) as connection:
                await connection.ask("DELETE", path)


async def _require_namespace(connection: Connection, name: str) -> None:
    try:
        (await connection.ask("GET", f"/api/v1/namespaces/{name}")).json()
    except NotThere:
        raise Unready(
            f"{NAMESPACE} is '{name}', and there is no such namespace: make it first"
        ) from None
    except Refused:
        # Who may work in a namespace need not be allowed to look at it.
        return


if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(main()))
    except (Unready, ControlPlaneError) as error:
        sys.exit(f"test-kubernetes: {error}")
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.exit("test-kubernetes: stopped")
