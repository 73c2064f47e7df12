"""How the writer makes groups of what waits."""

from __future__ import annotations

import pytest
from leoflow_controlplane.database.writer import BUSY, GATHERING_SECONDS, LARGE, pause_before


@pytest.mark.parametrize(
    ("taken", "waiting", "pause"),
    [
        (1, 0, 0.0),
        (BUSY - 1, 0, 0.0),
        (BUSY, 0, GATHERING_SECONDS),
        (BUSY, LARGE - 1, GATHERING_SECONDS),
        (BUSY, LARGE, 0.0),
    ],
)
def test_only_who_comes_with_many_waits_for_more(taken: int, waiting: int, pause: float) -> None:
    assert pause_before(taken, waiting) == pause
