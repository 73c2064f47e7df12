"""How fast calls may follow one another; nothing is waited for."""

from __future__ import annotations

import pytest
from leoflow_controlplane.executor.cluster import pace as module
from leoflow_controlplane.executor.cluster.pace import BURST_SECONDS, Pace, pause


async def test_after_a_rest_some_may_come_at_once_and_then_one_after_the_other() -> None:
    rate = 1000
    pace = Pace(rate)
    waits = [pace.take_turn() for _ in range(350)]
    assert waits.count(0.0) >= rate * BURST_SECONDS
    assert waits == sorted(waits)
    # All turns were taken within a moment, in which more may have become free.
    assert 0.0 < waits[-1] <= 350 / rate - BURST_SECONDS


async def test_a_server_that_asks_for_a_rest_gets_it() -> None:
    pace = Pace(rate=1000)
    pace.hold(5.0)
    assert pace.take_turn() == pytest.approx(5.0, abs=0.5)


def test_pauses_grow_up_to_a_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSES_SECONDS", (1.0, 4.0))
    for attempt, longest in enumerate((1.0, 4.0, 4.0)):
        assert longest / 2 <= pause(attempt) <= longest
