"""Measure the control plane: `python -m benchmarks.controlplane [SCENARIO …]`; see README.md."""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.controlplane import idle, inline
from benchmarks.controlplane.agents import FINISHED, STARTED, Agents, Launched
from benchmarks.controlplane.history import add_finished_runs

SECONDS = 15.0
CALLS = 10_000
LONGEST_SECONDS = 180.0


@asynccontextmanager
async def measured(
    url: str | None, parallel: int, connections: int = 64, history: int = 0
) -> AsyncIterator[Agents]:
    """Run a control plane in a process of its own, with ``history`` finished runs in its store."""
    with tempfile.TemporaryDirectory(prefix="leoflow-bench-") as folder:
        home = Path(folder)
        if history:
            await add_finished_runs(home, url, history)
        command = [sys.executable, "-m", "benchmarks.controlplane.server", folder, str(parallel)]
        server = subprocess.Popen([*command, url or ""], stdout=subprocess.PIPE)
        assert server.stdout is not None
        try:
            await asyncio.to_thread(server.stdout.readline)
            agents = Agents(home, connections)
            await agents.connect()
            yield agents
            agents.close()
        finally:
            server.terminate()
            await asyncio.to_thread(server.wait)
            server.stdout.close()


async def figures(agents: Agents) -> tuple[float, int]:
    """Ask for the server's processor seconds and memory."""
    agents.ask("figures")
    return await agents.figures.get()


async def throughput_brief(url: str | None) -> dict[str, Any]:
    """The scenario ``throughput`` with tasks that are over before their agent reports: one report
    for each."""
    return await throughput(url, brief=True)


async def throughput(url: str | None, *, brief: bool = False) -> dict[str, Any]:
    """As many tasks as go through: chains of ten, two reports and an end for each task."""
    async with measured(url, parallel=200, connections=200) as agents:
        agents.brief = brief
        agents.ask("register", "chains", "load", 10, 10)
        await agents.registered.get()
        runs = 0
        began, warm = time.perf_counter(), 3.0
        counted_from, cpu_from, from_at = 0, 0.0, began
        while (now := time.perf_counter()) < began + warm + SECONDS:
            while runs * 100 < agents.finished + 600:
                agents.ask("trigger", "load", f"r{runs}")
                runs += 1
            if not counted_from and now > began + warm:
                cpu_from, _ = await figures(agents)
                counted_from, from_at = agents.finished, time.perf_counter()
            await asyncio.sleep(0.01)
        cpu, memory = await figures(agents)
        finished = agents.finished - counted_from
        seconds = time.perf_counter() - from_at
        return {
            "tasks_per_second": round(finished / seconds),
            "refused": agents.refused,
            "cpu_us_per_task": round((cpu - cpu_from) / finished * 1e6),
            "rss_mb": memory // 1024**2,
        }


async def inline_with_decisions(url: str | None) -> dict[str, Any]:
    """The scenario ``latency`` while 10,000 inline calls are made, 1,000 at a time."""
    async with inline.answering(0.5) as (place, ask_most):

        async def call(agents: Agents) -> dict[str, Any]:
            agents.ask("register", "calls", "calls", 100, place)
            await agents.registered.get()
            done, begun = 0, time.perf_counter()
            for number in range(CALLS // 100):
                agents.ask("trigger", "calls", f"r{number}")
            while done < CALLS and time.perf_counter() < begun + LONGEST_SECONDS:
                await asyncio.sleep(0.5)
                agents.ask("succeeded", "calls")
                done = await agents.succeeded.get()
            seconds = round(time.perf_counter() - begun, 1)
            return {"lost": CALLS - done, "seconds": seconds, "most_at_once": await ask_most()}

        return await latency(url, call)


async def _wait(_agents: Agents) -> dict[str, Any]:
    await asyncio.sleep(SECONDS)
    return {}


async def latency(
    url: str | None, meanwhile: Callable[[Agents], Awaitable[dict[str, Any]]] = _wait
) -> dict[str, Any]:
    """Successors at 100 reports per second: from the report's sending to the executor."""
    sent: dict[tuple[str, str], float] = {}
    waits: list[float] = []
    async with measured(url, parallel=200, connections=32) as agents:

        def note_launch(launched: Launched) -> None:
            chain, _, step = launched.key[2].rpartition("_")
            before = sent.pop((launched.key[1], f"{chain}_{int(step) - 1}"), None)
            if before is not None:
                waits.append(launched.handed_at - before)

        def note_finish(launched: Launched, at: float) -> None:
            sent[launched.key[1], launched.key[2]] = at

        async def play(launched: Launched) -> None:
            await turn()
            await agents.report(launched, STARTED)
            await turn()
            note_finish(launched, time.perf_counter())
            await agents.report(launched, FINISHED)
            agents.end(launched)

        due = time.perf_counter() + 0.5

        async def turn() -> None:
            nonlocal due
            due = max(due + 0.01, time.perf_counter())
            await asyncio.sleep(due - time.perf_counter())

        agents.on_launch = note_launch
        agents.play = play  # type: ignore[method-assign]
        agents.ask("register", "chains", "load", 20, 50)
        await agents.registered.get()
        agents.ask("trigger", "load", "r")
        beside = await meanwhile(agents)
        return _percentiles(waits) | beside


async def flat_width(url: str | None) -> dict[str, Any]:
    """The cost of a task in DAGs of 10 to 10,000 tasks."""
    found = {}
    for width in (10, 100, 1000, 10_000):
        async with measured(url, parallel=100) as agents:
            agents.ask("register", "fan", "warm", 10)
            agents.ask("register", "fan", "load", width)
            await agents.registered.get()
            await agents.registered.get()
            await _run_out(agents, "warm", 100, 11)
            found[width] = await _run_out(agents, "load", max(1, 10_000 // width), width + 1)
    return {f"cpu_us_per_task_{width}": cost for width, cost in found.items()}


async def flat_history(url: str | None) -> dict[str, Any]:
    """The cost of a task with 10 to 100,000 finished runs in the store, and the time to start."""
    found: dict[str, Any] = {}
    for history in (10, 100_000):
        async with measured(url, parallel=100, history=history) as agents:
            agents.ask("register", "fan", "load", 100)
            await agents.registered.get()
            await _run_out(agents, "load", 10, 101, "warm")
            found[f"cpu_us_per_task_{history}"] = await _run_out(agents, "load", 50, 101)
            found[f"start_seconds_{history}"] = round(agents.start_seconds, 3)
    return found


async def _run_out(agents: Agents, dag_id: str, runs: int, tasks: int, name: str = "r") -> int:
    """Run a DAG of so many tasks so many times; give the microseconds of processor for a task."""
    cpu_from, _ = await figures(agents)
    until = agents.finished + runs * tasks
    for number in range(runs):
        agents.ask("trigger", dag_id, f"{name}{number}")
    while agents.finished < until:
        await asyncio.sleep(0.02)
    cpu, _ = await figures(agents)
    return round((cpu - cpu_from) / (runs * tasks) * 1e6)


def _percentiles(waits: list[float]) -> dict[str, Any]:
    ranked = sorted(waits)
    return {
        "count": len(ranked),
        "median_ms": round(statistics.median(ranked) * 1000, 2),
        "p99_ms": round(ranked[int(len(ranked) * 0.99)] * 1000, 2),
        "max_ms": round(ranked[-1] * 1000, 2),
    }


SCENARIOS: dict[str, Callable[[str | None], Awaitable[dict[str, Any]]]] = {
    "throughput": throughput,
    "throughput-brief": throughput_brief,
    "latency": latency,
    "flat-width": flat_width,
    "flat-history": flat_history,
    "inline": inline.scenario,
    "inline-with-decisions": inline_with_decisions,
    "idle": idle.idle,
    "start": idle.start,
}


def main() -> None:
    """Measure what is asked for, one JSON object a line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scenarios", nargs="*", default=[], choices=[*SCENARIOS, []])
    parser.add_argument("--db", help="URL of an empty database; a SQLite file if left out")
    parser.add_argument("--output", type=Path, help="a file for all results, as one JSON document")
    asked = parser.parse_args()
    results: dict[str, Any] = {}
    for name in asked.scenarios or SCENARIOS:
        found: dict[str, Any] = uvloop.run(SCENARIOS[name](asked.db))  # type: ignore[arg-type]
        results[name] = found
        print(json.dumps({"scenario": name, **found}), flush=True)
        if asked.output is not None:
            asked.output.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
