"""The bell: who it wakes, and that it keeps nothing for those who have left."""

from __future__ import annotations

import asyncio

from leoflow_controlplane.bell import Bell
from leoflow_controlplane.model import RunKey

ONE, OTHER = RunKey("etl", "one"), RunKey("etl", "other")


async def wait_for(bell: Bell, key: RunKey) -> None:
    await bell.next_ring(key).wait()


async def leave(waiter: asyncio.Task[None]) -> None:
    waiter.cancel()
    await asyncio.wait([waiter])


async def test_a_ring_wakes_all_who_wait_for_the_run_and_nobody_else() -> None:
    bell = Bell()
    waiters = [asyncio.create_task(wait_for(bell, key)) for key in (ONE, ONE, OTHER)]
    await asyncio.sleep(0)

    bell.ring([ONE])
    await asyncio.gather(*waiters[:2])

    assert not waiters[2].done()
    bell.ring_all()
    await waiters[2]


async def test_a_ring_that_was_taken_before_looking_is_not_missed() -> None:
    bell = Bell()
    ring = bell.next_ring(ONE)

    bell.ring([ONE])

    assert ring.is_set()
    assert not bell.next_ring(ONE).is_set()


async def test_nothing_is_left_once_the_last_who_waited_has_left() -> None:
    bell = Bell()
    waiters = [asyncio.create_task(wait_for(bell, ONE)) for _ in range(2)]
    await asyncio.sleep(0)

    await leave(waiters.pop())
    assert bell.waiting == 1
    await leave(waiters.pop())

    assert bell.waiting == 0


async def test_nothing_is_left_of_who_found_without_waiting_what_it_looked_for() -> None:
    bell = Bell()

    for number in range(100):
        ring = bell.next_ring(RunKey("etl", str(number)))
        assert not ring.is_set()
        del ring

    assert bell.waiting == 0
