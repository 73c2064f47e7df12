"""Who reaches whom: Pods that listen, and Pods that say which of several addresses they reach."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from clusterprobe import bare_pod, run_probe
from leoflow_controlplane.executor.cluster.calls import ApiCalls
from nodeimage import Unready

PORT = 8080
START_SECONDS, SETTLE_SECONDS = 120, 30
_LISTEN = ["python3", "-m", "http.server", str(PORT), "--directory", "/tmp"]
# A network plugin learns of a policy, and of a Pod, a moment after it is there.
_REACH = f"""
import json, os, socket, sys, time
wanted, until = json.loads(sys.argv[1]), time.monotonic() + {SETTLE_SECONDS}
def reaches(address):
    host, _, port = address.rpartition(":")
    host = os.environ.get(host, host)
    try:
        socket.create_connection((host, int(os.environ.get(port, port))), 2).close()
    except OSError:
        return False
    return True
while True:
    seen = {{address: reaches(address) for address in wanted}}
    if seen == wanted or time.monotonic() > until:
        break
    time.sleep(1)
open("/dev/termination-log", "w").write(json.dumps(seen))
"""


@asynccontextmanager
async def listening(
    calls: ApiCalls, image: str, name: str, labels: Mapping[str, str]
) -> AsyncIterator[str]:
    """Give HOST:PORT of a Pod with ``labels`` that takes connections. Raises Unready."""
    pod = bare_pod(name, image, _LISTEN)
    pod["metadata"]["labels"] = dict(labels)
    await calls.create_pod(pod)
    try:
        async with asyncio.timeout(START_SECONDS):
            while not (address := _address(await calls.get_pod(name))):
                await asyncio.sleep(0.5)
        yield f"{address}:{PORT}"
    except TimeoutError:
        raise Unready(f"a Pod of '{image}' does not run within {START_SECONDS} s") from None
    finally:
        await calls.delete_pod(name, 0)


async def look(
    calls: ApiCalls, image: str, labels: Mapping[str, str], wanted: Mapping[str, bool]
) -> dict[str, bool]:
    """Tell which addresses (HOST:PORT, or two variables of its environment) a Pod with ``labels``
    reaches, as soon as they are those that are ``wanted``, or after a while. Raises Unready."""
    pod = bare_pod("leoflow-look", image, ["python3", "-c", _REACH, json.dumps(wanted)])
    pod["metadata"]["labels"] = dict(labels)
    end = await run_probe(calls, pod, START_SECONDS + 10 * SETTLE_SECONDS)
    if end is None or not end.well:
        raise Unready(f"a Pod of '{image}' does not run: {end.words if end else 'not in time'}")
    seen: dict[str, bool] = json.loads(end.words)
    return seen


def _address(pod: Mapping[str, Any] | None) -> str | None:
    status = (pod or {}).get("status") or {}
    return status.get("podIP") if status.get("phase") == "Running" else None
