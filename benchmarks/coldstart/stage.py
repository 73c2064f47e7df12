"""What all scenarios share while they are measured: images, a control plane, a connection.

It measures nothing. Whatever is started through it is gone when its context ends.
"""

from __future__ import annotations

import secrets
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
from docker.utils import kwargs_from_env
from leoflow_builder.build import build_project
from leoflow_controlplane.controlplane import ControlPlane
from leoflow_controlplane.setting import Settings

from benchmarks.build.process import BenchError
from benchmarks.coldstart.cpumeter import CpuMeter, find_meter
from benchmarks.coldstart.image import Image, import_static
from benchmarks.coldstart.trace import Trace, traced_executor

HERE = Path(__file__).parent
STATIC = "static"
OTHERS: Mapping[str, Callable[[Any], Image]] = {STATIC: import_static}
LABEL = "leoflow.bench"
CALL_SECONDS = 60
MAX_PARALLEL_TASKS = 50
CONNECTIONS = 32


# Milliseconds by the name of what was measured.
Sample = Mapping[str, float]


@dataclass(frozen=True)
class Stage:
    """``images`` by project. ``label`` marks the containers that scenarios start themselves."""

    home: Path
    client: Any
    plane: ControlPlane
    images: Mapping[str, Image]
    meter: CpuMeter
    trace: Trace
    label: Mapping[str, str]


def make_images(projects: Collection[str], home: Path, client: Any) -> dict[str, Image]:
    """Build copies of the projects, so that nothing is written beside their sources."""
    made = {}
    for name in sorted(projects):
        print(f"building {name}", file=sys.stderr, flush=True)
        if name in OTHERS:
            made[name] = OTHERS[name](client)
            continue
        folder = home / "bench-coldstart" / name
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copytree(HERE / name, folder, dirs_exist_ok=True)
        built = build_project(folder, home, lambda text: print(text, file=sys.stderr))
        made[name] = Image(built.image.reference, built.spec)
    return made


def connect() -> Any:
    """Connect to the engine that DOCKER_HOST names; BenchError if none answers."""
    try:
        return docker.APIClient(
            **kwargs_from_env(), version="auto", timeout=CALL_SECONDS, max_pool_size=CONNECTIONS
        )
    except docker.errors.DockerException as error:
        raise BenchError(f"no Docker engine answers: {error}") from error


@asynccontextmanager
async def open_stage(
    home: Path, client: Any, images: Mapping[str, Image], agents: Mapping[str, Mapping[str, Any]]
) -> AsyncIterator[Stage]:
    """Open a control plane; ``agents`` replace the agent in the containers of a project.

    They are parts of the body of the engine's create call.
    """
    run = secrets.token_hex(4)
    label = {LABEL: run}
    settings = Settings(max_parallel_tasks=MAX_PARALLEL_TASKS)
    with find_meter(client, run) as meter:
        trace = Trace()
        changes = {images[name].reference: one for name, one in agents.items() if name in images}
        executor = traced_executor(trace, meter, changes)
        try:
            async with ControlPlane(home, executor, settings) as plane:
                yield Stage(home, client, plane, images, meter, trace, label)
        finally:
            remove_containers(client, label)


def remove_containers(client: Any, label: Mapping[str, str]) -> None:
    """Remove the containers of a run, those too whose start was interrupted."""
    filters = {"label": [f"{name}={value}" for name, value in label.items()]}
    for one in client.containers(all=True, filters=filters):
        # A thread that was not interrupted may be about to do the same.
        with suppress(docker.errors.APIError):
            client.remove_container(one["Id"], force=True)
