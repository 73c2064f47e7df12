"""The fake keeps to the contract of the real ones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from executor_contract import ExecutorContract, Heirs
from leoflow_controlplane.executor.fake import FakeAgent, FakeExecutor, FakeMachine
from leoflow_controlplane.executor.protocol import Executor
from leoflow_controlplane.verdict import Exit


def make_executor(machine: FakeMachine) -> FakeExecutor:
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
    executor = FakeExecutor(nobody, behave, machine)
    return executor


@pytest.fixture
async def made() -> AsyncIterator[Executor]:
    executor = make_executor(FakeMachine())
    yield executor
    await executor.close()


@pytest.fixture
async def heirs() -> AsyncIterator[Heirs]:
    machine, executors = FakeMachine(), []

    async def make() -> FakeExecutor:
        executors.append(make_executor(machine))
        return executors[-1]

    yield make
    await executors[-1].close()


class TestFake(ExecutorContract):
    """See the contract."""
