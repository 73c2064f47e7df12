"""How fast calls may follow one another; nothing is waited for."""

from __future__ import annotations

import pytest
from leoflow_controlplane.executor.cluster import pace as module
from leoflow_controlplane.executor.cluster.pace import BURST_SECONDS, Pace, pause


def test_after_a_rest_some_may_come_at_once_and_then_one_after_the_other() -> None:
    now = [100.0]
    pace = Pace(rate=8, clock=lambda: now[0])
    at_once = round(8 * BURST_SECONDS)
    assert [pace.take_turn() for _ in range(at_once)] == [0.0] * at_once
    assert [pace.take_turn() for _ in range(3)] == [0.125, 0.25, 0.375]
    now[0] += 0.25
    assert pace.take_turn() == 0.25
    now[0] += 1000
    assert [pace.take_turn() for _ in range(at_once + 1)] == [0.0] * at_once + [0.125]


def test_a_server_that_asks_for_a_rest_gets_it() -> None:
    pace = Pace(rate=8, clock=lambda: 100.0)
    pace.hold(5.0)
    assert pace.take_turn() == 5.125


def test_pauses_grow_up_to_a_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSES_SECONDS", (1.0, 4.0))
    for attempt, longest in enumerate((1.0, 4.0, 4.0)):
        assert longest / 2 <= pause(attempt) <= longest
