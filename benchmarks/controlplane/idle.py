"""Scenarios ``idle`` and ``start``: the real `leoflow server` in a process of its own, at rest."""

from __future__ import annotations

import asyncio
import socket
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.controlplane.history import add_finished_runs
from benchmarks.controlplane.served import figures_at_start, served
from benchmarks.controlplane.shape import scheduled

DAGS = 1000
RUNS = 100_000
WATCHED_SECONDS = 30.0
SETTLING_SECONDS = 3.0


async def idle(url: str | None) -> dict[str, Any]:
    """What a server takes that has 1,000 DAGs, each with a schedule, and nothing to do."""
    with tempfile.TemporaryDirectory(prefix="leoflow-bench-") as folder:
        return await asyncio.to_thread(_watch, Path(folder), url)


async def start(url: str | None) -> dict[str, Any]:
    """How long the process takes until it answers /health: an empty store, and 100,000 runs."""
    found: dict[str, Any] = {}
    for runs in (0, RUNS):
        with tempfile.TemporaryDirectory(prefix="leoflow-bench-") as folder:
            await add_finished_runs(Path(folder), url, runs)
            figures = await asyncio.to_thread(_start, Path(folder), url)
            found |= {f"{name}_{runs}": figure for name, figure in figures.items()}
    return found


def _watch(home: Path, url: str | None) -> dict[str, Any]:
    with served(home, url, _free_port()) as server:
        for number in range(DAGS):
            server.push(scheduled(f"dag{number}"))
        time.sleep(SETTLING_SECONDS)
        cpu, begun = server.cpu_seconds(), time.perf_counter()
        time.sleep(WATCHED_SECONDS)
        share = (server.cpu_seconds() - cpu) / (time.perf_counter() - begun)
        return {"percent_of_a_core": round(100 * share, 2), "rss_mb": server.memory_mb()}


def _start(home: Path, url: str | None) -> dict[str, Any]:
    with served(home, url, _free_port()) as server:
        return figures_at_start(server)


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
