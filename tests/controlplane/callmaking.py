"""Inline calls whose tries are numbers, made by a process of their own, and what came of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from house import SETTINGS
from leoflow_agent.action import HttpAction
from leoflow_agent.spec import TaskSpec
from leoflow_controlplane.inline.calls import Calls, Outcome, Patience
from leoflow_controlplane.inline.message import Order
from leoflow_controlplane.inlinecalls import make_terms
from leoflow_controlplane.inputs import resolve_request
from leoflow_controlplane.model import TryKey

QUICK = Patience(idle_seconds=60.0, silence_seconds=500.0, pauses_seconds=(0.0,))


class Making:
    """Calls whose tries are numbers, and what came of them."""

    def __init__(self, **more: Any) -> None:
        self._news = asyncio.Event()
        self.calls = Calls(make_terms(SETTINGS), self._news.set, **more)
        self.lines: list[str] = []

    def send(self, number: int, task: TaskSpec, environment: dict[str, str] | None = None) -> None:
        assert isinstance(task.action, HttpAction)
        request = resolve_request(task.action, {})
        order = Order(task_id="h", request=request, environment=environment or {}, seconds=500.0)
        self.calls.send(key(number), task, order)

    async def outcomes(self, count: int = 1) -> dict[int, Outcome]:
        found: dict[int, Outcome] = {}
        while len(found) < count:
            await self._news.wait()
            self._news.clear()
            for news in self.calls.take(10_000):
                self.lines += news.lines
                if news.outcome is not None:
                    found[news.key.map_index] = news.outcome
        return found

    @property
    def lost(self) -> list[str]:
        return [line for line in self.lines if "was lost" in line]

    async def outcome(self) -> Outcome:
        (found,) = (await self.outcomes()).values()
        return found


def key(number: int) -> TryKey:
    return TryKey("d", "r", "h", number, 1)


@asynccontextmanager
async def making(patience: Patience = QUICK, **more: Any) -> AsyncIterator[Making]:
    made = Making(patience=patience, **more)
    try:
        yield made
    finally:
        await made.calls.close()


def once(*answers: bytes | None) -> Callable[[bytes], bytes | None]:
    left = list(answers)
    return lambda head: left.pop(0)
