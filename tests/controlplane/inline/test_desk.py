"""A call within the process that makes it: what is told of a mistake of ours."""

from __future__ import annotations

import asyncio
from typing import Any

from leoflow_controlplane.inline.desk import Desk
from leoflow_controlplane.inline.message import Order

SECRET = "geheim-und-lang"


class Failing:
    """Makes a mistake in each call."""

    async def call(self, order: Order, say: object) -> None:
        raise LookupError(SECRET)


class Told:
    """Keeps what is told."""

    def __init__(self) -> None:
        self.messages: list[list[Any]] = []
        self.told = asyncio.Event()

    def put(self, message: list[Any]) -> None:
        self.messages.append(message)
        self.told.set()


async def test_a_mistake_of_ours_fails_its_call_and_shows_nothing_of_it() -> None:
    outbox = Told()
    desk = Desk(Failing(), outbox)  # type: ignore[arg-type]
    desk.obey(["call", 7, {}])
    await outbox.told.wait()
    ((kind, number, state, reason, _),) = outbox.messages
    assert (kind, number, state) == ("over", 7, "failed")
    assert "leoflow could not carry out this call: LookupError at test_desk.py:" in reason
    assert SECRET not in reason
