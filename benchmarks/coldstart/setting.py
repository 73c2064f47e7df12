"""Settings of the engine that change the way of a container, each against a try's as it is.

The container is always the same: the bare interpreter of the no-op task's image, printing one
line. Only what is set differs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from docker.errors import DockerException

from benchmarks.build.process import BenchError
from benchmarks.coldstart.container import PYTHON, Wanted, run_bare
from benchmarks.coldstart.image import tar_of
from benchmarks.coldstart.line import PRINT_LINE
from benchmarks.coldstart.round import NotHere, Scenario
from benchmarks.coldstart.stage import Sample, Stage

GROUP = "settings"
MORE_LAYERS = 16
LAYERED = "leoflow-bench/layered"
COMMAND = (*PYTHON, PRINT_LINE)

# Name, what it is, parts of HostConfig.
SETTINGS: tuple[tuple[str, str, Mapping[str, Any]], ...] = (
    ("set_nothing", "as tries have it", {}),
    ("set_network_none", "network `none`", {"NetworkMode": "none"}),
    ("set_network_host", "network `host`", {"NetworkMode": "host"}),
    ("set_log_none", "log driver `none`", {"LogConfig": {"Type": "none", "Config": {}}}),
    ("set_log_local", "log driver `local`", {"LogConfig": {"Type": "local", "Config": {}}}),
    (
        "set_no_limits",
        "no CPU, memory and process limits",
        {"CpuShares": 0, "Memory": 0, "MemorySwap": 0, "PidsLimit": 0},
    ),
    (
        "set_seccomp_unconfined",
        "seccomp `unconfined`",
        {"SecurityOpt": ["no-new-privileges", "seccomp=unconfined"]},
    ),
)


def _scenario(
    name: str, title: str, host: Mapping[str, Any], *, ahead: bool = False
) -> Scenario[Stage]:
    async def take_turn(stage: Stage) -> Sample:
        image = stage.images["noop"].reference
        return await run_bare(stage, Wanted(image, COMMAND, host, ahead=ahead))

    return Scenario(name, title, ("noop",), take_turn, GROUP)


async def _crun(stage: Stage) -> Sample:
    info = await asyncio.to_thread(stage.client.info)
    if "crun" not in info["Runtimes"]:
        raise NotHere("the engine has no runtime 'crun'")
    image = stage.images["noop"].reference
    try:
        return await run_bare(stage, Wanted(image, COMMAND, {"Runtime": "crun"}))
    except BenchError as error:
        # crun before 1.8.4 takes only containers of older engines.
        if "unknown version specified" in str(error):
            raise NotHere("this crun is older than the engine's containers") from error
        raise


async def _layers(stage: Stage) -> Sample:
    image = stage.images["noop"].reference
    layered = await asyncio.to_thread(ensure_layers, stage.client, image, stage.label)
    return await run_bare(stage, Wanted(layered, COMMAND))


def ensure_layers(client: Any, image: str, label: Mapping[str, str]) -> str:
    """Return an image with further layers on top of another; it is made once for each image."""
    reference = f"{LAYERED}:{image.rpartition(':')[2]}"
    if client.images(name=reference):
        return reference
    try:
        for number in range(MORE_LAYERS):
            container = client.create_container(
                image if number == 0 else reference, command=["x"], labels=dict(label)
            )
            client.put_archive(container, "/opt", tar_of(f"layer-{number}", b""))
            client.commit(container, *reference.split(":"))
            client.remove_container(container)
    except DockerException as error:
        raise BenchError(f"'{reference}' cannot be made: {error}") from error
    return reference


SETTING_SCENARIOS = (
    *(_scenario(*one) for one in SETTINGS),
    Scenario("set_crun", "runtime `crun`", ("noop",), _crun, GROUP),
    _scenario("set_ahead", "created ahead of need", {}, ahead=True),
    Scenario("set_layers", f"{MORE_LAYERS} more layers", ("noop",), _layers, GROUP),
)
