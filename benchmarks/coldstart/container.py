"""Turns without a control plane: one container is created, started, waited for and removed."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from docker.errors import DockerException
from leoflow_agent.spec import Quantities, Resources
from leoflow_controlplane.container import PIDS_LIMIT, USER, make_resources
from leoflow_controlplane.executor.docker.ending import read_instant
from requests.exceptions import RequestException

from benchmarks.build.process import BenchError
from benchmarks.coldstart.line import read_line
from benchmarks.coldstart.stage import Sample, Stage

PYTHON = ("python3.11", "-I", "-S", "-c")
_RESOURCES = Resources(Quantities(1000, 128 * 2**20))


class Wanted(NamedTuple):
    """A container: ``host`` replaces parts of its HostConfig, ``more`` of all else.

    ``ahead``: it was created ahead of need, so that its time begins when it is started.
    """

    image: str
    command: Sequence[str]
    host: Mapping[str, Any] = {}
    more: Mapping[str, Any] = {}
    ahead: bool = False


class Watch(NamedTuple):
    """Instants of one container; seconds since the epoch."""

    asked: float
    created: float
    started: float
    ended: float
    noticed: float


async def run_bare(stage: Stage, wanted: Wanted) -> Sample:
    """Run a container with the settings of a try, but for those that are replaced.

    If it prints the clock and the CPU so far, they are among what is returned.
    """
    return await asyncio.to_thread(_run, stage, wanted)


def container_body(stage: Stage, name: str, wanted: Wanted) -> dict[str, Any]:
    """Write the create call of a container; the settings are those of a try."""
    return {
        "Image": wanted.image,
        "User": USER,
        "Entrypoint": list(wanted.command),
        "Labels": dict(stage.label),
        "HostConfig": {
            **make_resources(_RESOURCES),
            "NetworkMode": "bridge",
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges"],
            "PidsLimit": PIDS_LIMIT,
            "LogConfig": {"Type": "json-file", "Config": {"max-size": "16m", "max-file": "1"}},
            "CgroupParent": stage.meter.parent(name),
            **wanted.host,
        },
        **wanted.more,
    }


def _run(stage: Stage, wanted: Wanted) -> dict[str, float]:
    name = f"leoflow-bench-{secrets.token_hex(6)}"
    client = stage.client
    body = container_body(stage, name, wanted)
    try:
        asked = time.time()
        client.create_container_from_config(body, name)
        created = time.time()
        try:
            client.start(name)
            client.wait(name)
            noticed = time.time()
            state = client.inspect_container(name)["State"]
            output = client.logs(name, stderr=False).decode() if _keeps_log(body) else ""
            if state["ExitCode"] != 0:
                tail = client.logs(name, tail=5).decode()
                raise BenchError(f"{list(wanted.command)} left with {state['ExitCode']}: {tail}")
        finally:
            client.remove_container(name, force=True)
    except (DockerException, RequestException) as error:
        raise BenchError(f"a container of '{wanted.image}' could not run: {error}") from error
    since = created if wanted.ahead else asked
    watch = Watch(since, created, _instant(state, "Started"), _instant(state, "Finished"), noticed)
    cpu = stage.meter.cpu_ms(name)
    return measures(watch, output) | ({} if cpu is None else {"cpu": cpu})


def measures(watch: Watch, output: str) -> dict[str, float]:
    """Turn the instants of a container and its first line into milliseconds by name."""
    found = {
        "create": watch.created - watch.asked,
        "start": watch.started - watch.created,
        "run": watch.ended - watch.started,
        "end": watch.noticed - watch.ended,
        "total": watch.noticed - watch.asked,
    }
    line = read_line(output)
    if line is not None:
        found["first_line"] = line.clock - watch.started
        found["cpu_before_user_code"] = line.cpu_seconds
    return {name: seconds * 1000 for name, seconds in found.items()}


def _keeps_log(body: Mapping[str, Any]) -> bool:
    return bool(body["HostConfig"]["LogConfig"]["Type"] != "none")


def _instant(state: Mapping[str, str], what: str) -> float:
    at = read_instant(state[f"{what}At"])
    if at is None:
        raise BenchError(f"the engine does not say when a container was {what.lower()}")
    return at
