"""Where executors are tested: an emulated cluster, or the one that LEOFLOW_TEST_KUBECONFIG names.

The program that does what BEHAVE says is Python, and stands in for the command of whatever image
the cluster has; an emulated one plays it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from emulator.cluster import NAMESPACE, Cluster
from freeport import free_port
from leoflow_agent.podoption import PodOptions
from leoflow_controlplane.agentserver import AgentServer
from leoflow_controlplane.api import AgentApp
from leoflow_controlplane.controlplane import ControlPlane
from leoflow_controlplane.executor.cluster.calls import ApiCalls
from leoflow_controlplane.executor.cluster.connect import choose_access
from leoflow_controlplane.executor.cluster.connection import Connection
from leoflow_controlplane.executor.cluster.executor import KubernetesExecutor
from leoflow_controlplane.executor.cluster.fault import Refused
from leoflow_controlplane.executor.cluster.opening import kubernetes_executor
from leoflow_controlplane.executor.protocol import Ended, Limits, Site
from leoflow_controlplane.executor.reach import Address
from leoflow_controlplane.instance import Instance, open_instance
from leoflow_controlplane.kubernetessetting import KubernetesSettings
from leoflow_controlplane.launch import Launch
from leoflow_controlplane.model import RunKey, TryKey
from leoflow_controlplane.pod.name import REALM, label_value
from leoflow_controlplane.secretsource import EnvironmentSecrets
from leoflow_controlplane.setting import Settings

PROGRAM = """
import os, signal, sys
kind, _, said = os.environ["BEHAVE"].partition(":")
kept = os.environ.get("LEOFLOW_STAGING", "/nowhere") + "/kept"
if kind == "exit":
    sys.exit(int(said))
if kind == "print":
    sys.stderr.write(said + "\\n")
    sys.exit(7)
if kind == "leave":
    with open(os.environ["LEOFLOW_VERDICT_FILE"], "w") as file:
        file.write(said)
    sys.exit(7)
if kind == "keep":
    open(kept, "w").close()
    sys.exit()
if kind == "find":
    sys.exit(not os.path.exists(kept))
if kind == "uid":
    sys.exit((os.getuid(), os.getgid()) != (65532, 65532))
if kind == "root":
    try:
        open("/made", "w")
    except OSError:
        open("/tmp/made", "w").close()
        sys.exit()
    sys.exit(1)
if kind == "fill":
    with open("/tmp/filled", "wb") as file:
        file.write(os.urandom(int(said) * 2**20))
if kind == "eat":
    eaten = []
    while True:
        eaten.append(b"x" * 2**20)
leave = signal.SIG_IGN if kind == "stubborn" else lambda number, frame: os._exit(128 + number)
signal.signal(signal.SIGTERM, leave)
print("ready", flush=True)
while True:
    signal.pause()
"""


class Ground(NamedTuple):
    """A cluster that executors can be opened on. ``cluster``: the emulated one. ``agent_url`` is
    where Pods reach this machine; what is tested here has no agents to listen for."""

    kubeconfig: str
    namespace: str
    image: str
    agent_url: str
    cluster: Cluster | None = None


def emulated_ground(cluster: Cluster, folder: Path) -> Ground:
    """Give the ground that an emulated cluster is."""
    file = cluster.write_kubeconfig(folder / "kubeconfig")
    return Ground(str(file), NAMESPACE, "image", "http://127.0.0.1:9", cluster)


def real_ground(environment: Mapping[str, str] = os.environ) -> Ground:
    """Give the cluster that `make test-kubernetes` has prepared."""
    missing = [name for name in _NAMES if not environment.get(name)]
    assert not missing, f"{', '.join(missing)} not set: run 'make test-kubernetes KUBECONFIG=…'"
    return Ground(*(environment[name] for name in _NAMES))


_NAMES = (
    "LEOFLOW_TEST_KUBECONFIG",
    "LEOFLOW_TEST_NAMESPACE",
    "LEOFLOW_TEST_IMAGE",
    "LEOFLOW_AGENT_URL",
)


class Dressed:
    """An executor whose tries are of the ground's image and do what BEHAVE says."""

    def __init__(self, executor: KubernetesExecutor, image: str) -> None:
        self.executor = executor
        self._image = image

    def __getattr__(self, name: str) -> Any:
        return getattr(self.executor, name)

    async def start(self, launch: Launch) -> Mapping[str, float]:
        """Start a try, dressed."""
        return await self.executor.start(self.dress(launch))

    async def ended(self) -> Ended:
        """Wait for an end."""
        return await self.executor.ended()

    async def adopt(self, wanted: set[TryKey], runs: set[RunKey]) -> set[TryKey]:
        """Take over what is left."""
        return await self.executor.adopt(wanted, runs)

    def dress(self, launch: Launch) -> Launch:
        """Give a launch an image that is on the cluster, and the program."""
        options = launch.task.kubernetes or PodOptions()
        if options.pod_override is None:
            command = ["python3", "-u", "-c", PROGRAM]
            override = {"spec": {"containers": [{"name": "task", "command": command}]}}
            options = replace(options, pod_override=override)
        task = replace(launch.task, kubernetes=options)
        image = self._image if launch.image == "leoflow-test-agent" else launch.image
        workload: Any = {"grace_seconds": 10, **launch.workload}
        return launch._replace(image=image, task=task, workload=workload)


class Opened(NamedTuple):
    """An executor and what it listens with."""

    executor: Dressed
    server: AgentServer
    instance: Instance

    async def close(self, *, leave_running: bool = False) -> None:
        """Close all of it."""
        await self.executor.close(leave_running=leave_running)
        await self.server.close()
        self.instance.close()


async def open_executor(
    ground: Ground,
    home: Path,
    owner: str | None = None,
    limits: Limits | None = None,
    **settings: Any,
) -> Opened:
    """Open an executor of a home. It keeps no Pod for people to look at unless told to."""
    desk: Any = None
    instance = open_instance(home)
    server = AgentServer(instance, AgentApp(desk))
    site = Site(instance, server, desk, owner, limits=limits or Limits())
    keep = {"keep_finished_seconds": 0.0, "keep_failed_seconds": 0.0, **settings}
    chosen = KubernetesSettings(namespace=ground.namespace, **keep)
    address = Address(ground.agent_url, f"127.0.0.1:{free_port()}")
    factory = kubernetes_executor(chosen, address, {"KUBECONFIG": ground.kubeconfig})
    try:
        executor = await factory(site)
    except BaseException:
        await server.close()
        instance.close()
        raise
    return Opened(Dressed(executor, ground.image), server, instance)


@asynccontextmanager
async def opened(ground: Ground, home: Path, **settings: Any) -> AsyncIterator[Dressed]:
    """Give an executor of its own; nothing is left of it."""
    home.mkdir(exist_ok=True)
    made = await open_executor(ground, home, **settings)
    try:
        yield made.executor
    finally:
        await made.close()
        await assert_nothing_left(ground, made.instance)


@asynccontextmanager
async def running_plane(ground: Ground, home: Path, **settings: Any) -> AsyncIterator[ControlPlane]:
    """Give a control plane of one task at a time, to whose address agents of real Pods report."""
    chosen = KubernetesSettings(namespace=ground.namespace, **settings)
    address = Address(ground.agent_url, os.environ["LEOFLOW_AGENT_LISTEN"])
    factory = kubernetes_executor(chosen, address, {"KUBECONFIG": ground.kubeconfig})
    secret, few = EnvironmentSecrets({}), Settings(max_parallel_tasks=1)
    async with ControlPlane(home, factory, few, secret) as plane:
        yield plane


@asynccontextmanager
async def calls_of(ground: Ground) -> AsyncIterator[ApiCalls]:
    """Give calls of the API server, as somebody else's."""
    access = choose_access({"KUBECONFIG": ground.kubeconfig}, None, ground.namespace)
    connection = Connection(access)
    await connection.open()
    try:
        yield ApiCalls(connection)
    finally:
        await connection.close()


async def post(calls: ApiCalls, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """Create what leoflow itself never does, and its Role does not permit."""
    try:
        made: dict[str, Any] = (await calls._connection.ask("POST", path, None, body)).json()
    except Refused as fault:
        pytest.skip(f"not tried: {fault.words}")
    return made


async def assert_nothing_left(ground: Ground, instance: Instance) -> None:
    """Wait until the last Pod and claim of a home are gone."""
    selector = f"{REALM}={label_value(instance.home_id)}"
    async with calls_of(ground) as calls, asyncio.timeout(60):
        while (await calls.list_pods(selector)).items or await calls.list_claims(selector):
            await asyncio.sleep(0.02)
