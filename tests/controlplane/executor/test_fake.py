"""The fake keeps to the contract of the real ones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from executor_contract import ExecutorContract
from leoflow_controlplane.executor.fake import FakeAgent, FakeExecutor
from leoflow_controlplane.executor.protocol import Executor
from leoflow_controlplane.verdict import Exit


@pytest.fixture
async def made() -> AsyncIterator[Executor]:
    async def behave(agent: FakeAgent) -> Exit:
        word, _, rest = agent.launch.environment["BEHAVE"].partition(":")
        if word == "exit":
            return Exit(int(rest))
        if word == "print":
            executor.tails[agent.launch.key] = rest
            return Exit(7)
        if word == "leave":
            executor.left[agent.launch.key] = rest.encode()
            return Exit(7)
        executor.tails[agent.launch.key] = "ready"
        if word == "stubborn":
            await asyncio.Event().wait()
        await agent.told_to_stop.wait()
        return Exit(143)

    nobody: Any = None
    executor = FakeExecutor(nobody, behave)
    yield executor
    await executor.close()


class TestFake(ExecutorContract):
    """See the contract."""
