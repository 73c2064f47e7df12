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
from pathlib import Path
from typing import Any

from leoflow_agent.action import HttpAction
from leoflow_agent.spec import Quantities, Resources, Source, TaskSpec
from leoflow_controlplane.inline.calls import Calls, Outcome
from leoflow_controlplane.inline.message import Order
from leoflow_controlplane.inlinecalls import make_terms
from leoflow_controlplane.inputs import resolve_request
from leoflow_controlplane.model import TryKey
from leoflow_controlplane.outbound.guard import LOOPBACK
from leoflow_controlplane.setting import Settings

ANSWER = (
    b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{"ok":true}'
)
TICK_SECONDS = 0.005

AskMost = Callable[[], Awaitable[int]]


@dataclass(frozen=True)
class Figures:
    """What came of a scenario. Lags are of a loop that only ticks, in the process that waits;
    ``sender_memory_mib`` is what the process had that sent, at the end."""

    calls: int
    lost: int
    seconds: float
    most_at_once: int
    lag_median_ms: float
    lag_p99_ms: float
    lag_worst_ms: float
    memory_mib: float
    sender_memory_mib: float


async def measure(calls: int, at_once: int, answer_after_seconds: float) -> Figures:
    """Send ``calls`` requests, ``at_once`` at a time, to a server in a process of its own."""
    settings = Settings(
        max_parallel_tasks=1, max_inline_calls=at_once, inline_allowed_hosts=LOOPBACK
    )
    sending = _Sending(settings)
    lags: list[float] = []
    watching = asyncio.create_task(_watch(lags))
    async with answering(answer_after_seconds) as (url, ask_most):
        try:
            begun = time.monotonic()
            outcomes = await sending.send_all(url, calls, at_once)
            seconds = time.monotonic() - begun
            most, memory = await ask_most(), memory_mib(sending.pid)
        finally:
            watching.cancel()
            await sending.close()
    lags.sort()
    return Figures(
        calls,
        calls - sum(outcome.state == "success" for outcome in outcomes),
        seconds,
        most,
        statistics.median(lags) * 1000,
        lags[int(len(lags) * 0.99)] * 1000,
        lags[-1] * 1000,
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        memory,
    )


def memory_mib(pid: int) -> float:
    """Give what a process has in memory now."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise ValueError(f"process {pid} has ended")


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


class _Sending:
    """Calls without tries: as many at once as are wanted, until all are made."""

    def __init__(self, settings: Settings) -> None:
        self._news = asyncio.Event()
        self._calls = Calls(make_terms(settings), self._news.set)

    @property
    def pid(self) -> int:
        """The id of the process that sends."""
        assert self._calls.pid is not None
        return self._calls.pid

    async def send_all(self, url: str, calls: int, at_once: int) -> list[Outcome]:
        """Make so many calls, and give what came of each."""
        action = HttpAction(url)
        task = TaskSpec("t", action, Resources(Quantities(100, 2**26)), Source("dag.py", 1))
        request = resolve_request(action, {})
        order = Order(task_id="t", request=request, environment={}, seconds=300.0)
        sent, outcomes = 0, list[Outcome]()
        while len(outcomes) < calls:
            while sent < min(calls, len(outcomes) + at_once):
                sent += 1
                self._calls.send(TryKey("d", "r", "t", sent, 1), task, order)
            await self._news.wait()
            self._news.clear()
            found = self._calls.take(at_once)
            outcomes += [news.outcome for news in found if news.outcome is not None]
        return outcomes

    async def close(self) -> None:
        """End the process."""
        await self._calls.close()


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
