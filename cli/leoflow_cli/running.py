"""Puts the two halves together for ``leoflow run``: build the project, embed a control plane."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from leoflow_agent.spec import DagSpec
from leoflow_builder.assemble import read_spec
from leoflow_builder.host import prepare_host
from leoflow_builder.oci.engine_place import find_engine
from leoflow_builder.project import load_project
from leoflow_builder.wish import BuildWish
from leoflow_controlplane.controlplane import ControlPlane
from leoflow_controlplane.executor.protocol import ExecutorFactory
from leoflow_controlplane.model import RunRequest, RunResult
from leoflow_controlplane.outbound.guard import LOOPBACK
from leoflow_controlplane.podcheck import tell_ignored
from leoflow_controlplane.secretsource import EnvironmentSecrets
from leoflow_controlplane.setting import Settings, read_settings
from leoflow_controlplane.traceparent import VARIABLE as TRACEPARENT

from leoflow_cli import build_command
from leoflow_cli.environment import read_options
from leoflow_cli.home import leoflow_home
from leoflow_cli.hostfolder import host_project
from leoflow_cli.interruption import Interruption
from leoflow_cli.liveview import LiveView
from leoflow_cli.option import parse_date
from leoflow_cli.outcome import InvalidInput
from leoflow_cli.screen import Screen


@dataclass(frozen=True)
class Wish:
    """What was asked for on the command line."""

    folder: Path
    executor: str | None
    task_id: str | None
    inputs: dict[str, Any] | None
    conf: dict[str, Any]
    logical_date: str | None
    image: BuildWish = field(default_factory=BuildWish)


@dataclass(frozen=True)
class Outcome:
    """A run that has ended. ``seconds`` is the run alone, without the build."""

    result: RunResult
    seconds: float


@dataclass(frozen=True)
class _Ready:
    """A DAG that can run now."""

    spec: DagSpec
    image: str
    executor: ExecutorFactory
    where: str


def run(wish: Wish, screen: Screen) -> Outcome:
    """Run a DAG to its end; Ctrl-C and SIGTERM stop it and remove what it started.

    Raises KeyboardInterrupt once all is gone.
    """
    settings = read_settings(os.environ)
    # Here whoever wrote the DAG runs it: its calls reach what this user reaches anyway.
    allowed_hosts = (*settings.inline_allowed_hosts, *LOOPBACK)
    settings = replace(settings, inline_allowed_hosts=allowed_hosts)
    logical_date = parse_date(wish.logical_date, "--logical-date")
    name = wish.executor or choose_executor(screen)
    ready = _make_ready(name, wish, settings, screen)
    _tell_ignored(ready.spec, name, screen)
    request = RunRequest(
        ready.spec,
        ready.image,
        wish.conf,
        logical_date,
        wish.task_id,
        wish.inputs,
        traceparent=os.environ.get(TRACEPARENT),
    )
    try:
        return asyncio.run(_run(request, ready, settings, screen))
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None


async def _run(request: RunRequest, ready: _Ready, settings: Settings, screen: Screen) -> Outcome:
    main = asyncio.current_task()
    assert main is not None
    interruption = Interruption(main, screen.line, settings.grace_seconds)
    interruption.listen()
    began = time.monotonic()
    secrets = EnvironmentSecrets(os.environ)
    async with ControlPlane(leoflow_home(), ready.executor, settings, secrets) as plane:
        for name in plane.swept:
            screen.say(f"removed what a killed run had left behind: {name}")
        key = await plane.create_run(request)
        interruption.cancels(lambda: plane.cancel(key))
        screen.line(f"{key.dag_id}  {key.run_id}  {ready.where}", style="bold")
        view = LiveView(screen, time.time())
        async for update in plane.watch(key):
            view.show(update)
        if interruption.has_come:
            raise asyncio.CancelledError
        return Outcome(await plane.result(key), time.monotonic() - began)


def _tell_ignored(spec: DagSpec, executor: str, screen: Screen) -> None:
    """Say what of the DAG is for Kubernetes only, where it does not run there."""
    if executor != "kubernetes":
        for line in tell_ignored(spec):
            screen.line(line, style="yellow")


def choose_executor(screen: Screen) -> str:
    """Return what runs tries here when nobody has said it; that no engine answers is told."""
    from leoflow_controlplane.executor.docker.engine import open_engine
    from leoflow_controlplane.executor.docker.fault import NoEngine

    try:
        open_engine(find_engine(os.environ, Path.home())).close()
    except NoEngine as error:
        fix = "install Docker with buildx and start it, or point DOCKER_HOST at an engine."
        if error.is_denied:
            fix = "let this user reach the socket, for example by the group 'docker'."
        screen.line(
            f"no container engine answers at '{error.place}' ({error.reason}), so the tasks run as "
            f"subprocesses of this machine. For containers {fix}",
            style="yellow",
        )
        return "subprocess"
    return "docker"


def _make_ready(name: str, wish: Wish, settings: Settings, screen: Screen) -> _Ready:
    if name == "kubernetes":
        return _pods(wish, screen)
    if name == "docker":
        return _containers(wish, screen)
    if wish.image != BuildWish():
        raise InvalidInput("--tag and --push are for images, and subprocesses have none")
    return _subprocesses(wish, settings, screen)


def _pods(wish: Wish, screen: Screen) -> _Ready:
    from leoflow_controlplane.executor.cluster.opening import kubernetes_executor, look_at_cluster
    from leoflow_controlplane.executor.reach import read_address, require_address, warn_of_loopback
    from leoflow_controlplane.kubernetessetting import read_kubernetes_settings

    from leoflow_cli.clusterimage import build_for_cluster

    # All that can be known to be wrong before a build is told before it.
    address = require_address(read_address(os.environ))
    settings = read_kubernetes_settings(os.environ)
    if warning := warn_of_loopback(address):
        screen.line(warning, style="yellow")
    asyncio.run(look_at_cluster(settings, os.environ))
    screen.line(f"building {wish.folder}", style="bold")
    spec, image = build_for_cluster(wish.folder, wish.image, screen)
    executor = kubernetes_executor(settings, address, os.environ)
    return _Ready(spec, image, executor, "in Pods")


def _containers(wish: Wish, screen: Screen) -> _Ready:
    from leoflow_controlplane.executor.docker.executor import docker_executor
    from leoflow_controlplane.executor.reach import read_address

    address = read_address(os.environ)
    engine = find_engine(os.environ, Path.home())
    screen.line(f"building {wish.folder}", style="bold")
    built = build_command.build(wish.folder, wish.image, screen)
    executor = docker_executor(address, environment=engine)
    return _Ready(built.spec, built.image.reference, executor, "in containers")


def _subprocesses(wish: Wish, settings: Settings, screen: Screen) -> _Ready:
    from leoflow_controlplane.executor.subprocess import subprocess_executor

    with screen.working(f"preparing {wish.folder}"):
        project = load_project(wish.folder)
        environment = prepare_host(project, leoflow_home(), screen.say)
        spec = read_spec(project, environment, read_options(settings))
    on_host = host_project(project.folder, environment)
    executor = subprocess_executor(lambda _: on_host)
    return _Ready(spec, "", executor, "as subprocesses")
