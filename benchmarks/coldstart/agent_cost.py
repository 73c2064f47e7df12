"""What the agent adds to the start of a task, against the bare interpreter of the same image.

For both, the time from the engine's State.StartedAt to a clock reading printed by the first line of
user code; the two take turns in one run, so that a slow moment of the machine hits both.
Prints figures and judges nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
from pathlib import Path
from typing import Any

import docker
from leoflow_builder.build import BuildResult, build_project
from leoflow_cli.home import leoflow_home
from leoflow_controlplane.controlplane import ControlPlane
from leoflow_controlplane.executor.docker import docker_executor
from leoflow_controlplane.executor.engine import read_instant
from leoflow_controlplane.model import RunRequest
from leoflow_controlplane.setting import Settings

PROJECT = Path(__file__).with_name("noop")
PRINT_CLOCK = "import time; print(time.time())"


async def with_agent(plane: ControlPlane, built: BuildResult) -> float:
    """Run the no-op task; return the milliseconds from the container's start to its first line."""
    key = await plane.create_run(RunRequest(built.spec, built.image.reference))
    result = await plane.wait(key)
    (task,) = result.tasks
    log = await plane.log(key, task.task_id, task.try_number)
    return (float(log[0].text) - task.instants["started"]) * 1000


def bare(client: Any, image: str) -> float:
    """Run `python -I -S` that prints the clock in the same image and settings; as above."""
    created = client.create_container(
        image,
        entrypoint=["python3.11", "-I", "-S", "-c", PRINT_CLOCK],
        host_config=client.create_host_config(
            mem_limit=128 * 2**20, cpu_shares=1024, cap_drop=["ALL"], network_mode="bridge"
        ),
    )
    client.start(created)
    client.wait(created)
    printed = float(client.logs(created))
    started = read_instant(client.inspect_container(created)["State"]["StartedAt"])
    client.remove_container(created)
    assert started is not None
    return (printed - started) * 1000


async def measure(pairs: int, built: BuildResult) -> tuple[list[float], list[float]]:
    """Return the milliseconds of ``pairs`` runs with the agent and as many without, interleaved."""
    client = docker.APIClient(**docker.utils.kwargs_from_env(), version="auto")
    ours, theirs = [], []
    settings = Settings(max_parallel_tasks=2)
    async with ControlPlane(leoflow_home(), docker_executor(), settings) as plane:
        for pair in range(pairs + 1):
            with_it = await with_agent(plane, built)
            without = await asyncio.to_thread(bare, client, built.image.reference)
            if pair:
                ours.append(with_it)
                theirs.append(without)
    client.close()
    return ours, theirs


def summarise(ours: list[float], theirs: list[float]) -> dict[str, Any]:
    """Return medians, p95 and minima in milliseconds, and the ratio of the medians."""

    def figures(values: list[float]) -> dict[str, float]:
        ranked = sorted(values)
        p95 = ranked[min(len(ranked) - 1, round(0.95 * len(ranked)))]
        return {"median": statistics.median(ranked), "p95": p95, "min": ranked[0]}

    return {
        "pairs": len(ours),
        "with_agent_ms": figures(ours),
        "bare_interpreter_ms": figures(theirs),
        "ratio_of_medians": statistics.median(ours) / statistics.median(theirs),
    }


def main() -> None:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=40)
    arguments = parser.parse_args()
    built = build_project(PROJECT, leoflow_home(), lambda text: print(text, file=sys.stderr))
    print(json.dumps(summarise(*asyncio.run(measure(arguments.pairs, built))), indent=2))


if __name__ == "__main__":
    main()
