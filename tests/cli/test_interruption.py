"""The first signal cancels a run, the second one drops it."""

from __future__ import annotations

import asyncio

import pytest
from leoflow_cli.interruption import Interruption


async def _forever() -> None:
    await asyncio.Event().wait()


@pytest.fixture
async def main():
    task = asyncio.create_task(_forever())
    await asyncio.sleep(0)
    yield task
    task.cancel()


async def test_before_there_is_a_run_everything_is_dropped(main):
    interruption = Interruption(main, lambda text: None, 10)
    interruption.interrupt()
    await asyncio.wait({main}, timeout=5)
    assert main.cancelled()
    assert not interruption.has_come


async def test_the_first_signal_cancels_the_run_and_says_so(main):
    said: list[str] = []
    cancelled = asyncio.Event()

    async def cancel() -> None:
        cancelled.set()

    interruption = Interruption(main, said.append, 10)
    interruption.cancels(cancel)
    interruption.interrupt()
    await asyncio.wait_for(cancelled.wait(), 5)
    assert interruption.has_come
    assert not main.done()
    assert "interrupt again" in said[0]


async def test_the_second_signal_drops_it(main):
    interruption = Interruption(main, lambda text: None, 10)
    interruption.cancels(_forever)
    interruption.interrupt()
    interruption.interrupt()
    await asyncio.wait({main}, timeout=5)
    assert main.cancelled()


async def test_a_run_that_cannot_be_cancelled_is_dropped(main):
    async def cancel() -> None:
        raise RuntimeError("no state file")

    interruption = Interruption(main, lambda text: None, 10)
    interruption.cancels(cancel)
    interruption.interrupt()
    await asyncio.wait({main}, timeout=5)
    assert main.cancelled()
