"""Scenario ``inline``: many http_api calls at once against a local server, and what the loop beside
them feels of it. Measures the calls alone; no run, no store.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import resource
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from typing import Any

from leoflow_agent.action import HttpAction
from leoflow_agent.spec import Quantities, Resources, Source, TaskSpec
from leoflow_controlplane.inline import InlineOutcome, InlineRunner, InlineTask
from leoflow_controlplane.inputs import resolve_request
from leoflow_controlplane.outbound.guard import LOOPBACK
from leoflow_controlplane.setting import Settings

ANSWER = (
    b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{"ok":true}'
)
TICK_SECONDS = 0.005

AskMost = Callable[[], Awaitable[int]]


@dataclass(frozen=True)
class Figures:
    """What came of a scenario. Lags are of a loop that only ticks, in the thread that waits."""

    calls: int
    lost: int
    seconds: float
    most_at_once: int
    lag_median_ms: float
    lag_p99_ms: float
    lag_worst_ms: float
    memory_mib: float


async def measure(calls: int, at_once: int, answer_after_seconds: float) -> Figures:
    """Send ``calls`` requests, ``at_once`` at a time, to a server in a process of its own."""
    settings = Settings(
        max_parallel_tasks=1, max_inline_calls=at_once, inline_allowed_hosts=LOOPBACK
    )
    runner = InlineRunner(settings)
    lags: list[float] = []
    watching = asyncio.create_task(_watch(lags))
    async with answering(answer_after_seconds) as (url, ask_most):
        try:
            begun = time.monotonic()
            outcomes = await _send_all(runner, url, calls, at_once)
            seconds = time.monotonic() - begun
            most = await ask_most()
        finally:
            watching.cancel()
            await runner.close()
    lags.sort()
    return Figures(
        calls,
        sum(outcome.verdict.state != "success" for outcome in outcomes),
        seconds,
        most,
        statistics.median(lags) * 1000,
        lags[int(len(lags) * 0.99)] * 1000,
        lags[-1] * 1000,
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )


@asynccontextmanager
async def answering(after_seconds: float) -> AsyncIterator[tuple[str, AskMost]]:
    """Run a server in a process of its own: its URL, and what tells how many it had at once."""
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(
        target=_serve, args=[theirs, after_seconds], daemon=True
    )
    server.start()
    port = await asyncio.to_thread(ours.recv)

    async def ask_most() -> int:
        ours.send("how many")
        return int(await asyncio.to_thread(ours.recv))

    try:
        yield f"http://127.0.0.1:{port}/x", ask_most
    finally:
        server.terminate()


async def _send_all(
    runner: InlineRunner, url: str, calls: int, at_once: int
) -> list[InlineOutcome]:
    action = HttpAction(url)
    task = TaskSpec("t", action, Resources(Quantities(100, 2**26)), Source("dag.py", 1))
    inline = InlineTask(task, resolve_request(action, {}), say=_drop)
    left = iter(range(calls))

    outcomes: list[InlineOutcome] = []

    async def work() -> None:
        for _ in left:
            outcomes.append(await runner.run(inline))

    await asyncio.gather(*(work() for _ in range(at_once)))
    return outcomes


def _drop(line: str) -> None:
    """Keep nothing of what a call logs."""
    del line


async def _watch(lags: list[float]) -> None:
    while True:
        due = time.monotonic() + TICK_SECONDS
        await asyncio.sleep(TICK_SECONDS)
        lags.append(time.monotonic() - due)


def _serve(pipe: Connection, answer_after_seconds: float) -> None:
    asyncio.run(_serve_forever(pipe, answer_after_seconds))


async def _serve_forever(pipe: Connection, answer_after_seconds: float) -> None:
    loop = asyncio.get_running_loop()
    now = most = 0

    class Client(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            assert isinstance(transport, asyncio.Transport)
            self.transport = transport

        def data_received(self, _data: bytes) -> None:
            nonlocal now, most
            now += 1
            most = max(most, now)
            loop.call_later(answer_after_seconds, self.answer)

        def answer(self) -> None:
            nonlocal now
            now -= 1
            self.transport.write(ANSWER)

    server = await loop.create_server(Client, "127.0.0.1", 0, backlog=4096)
    pipe.send(server.sockets[0].getsockname()[1])
    await asyncio.to_thread(pipe.recv)
    pipe.send(most)
    await asyncio.Event().wait()


async def scenario(_url: str | None = None) -> dict[str, Any]:
    """Ten thousand calls, a thousand at once, each answered after half a second."""
    return asdict(await measure(10_000, 1_000, 0.5))
