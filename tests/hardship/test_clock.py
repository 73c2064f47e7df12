"""The wall clock jumps, or is wrong: deadlines and heartbeats are kept, and the time line holds."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ward import SETTINGS, Ending, Subject, Ward, all_gone

pytestmark = pytest.mark.engine

DAY = 86400.0
# A real clock that is set leaves the monotonic one alone.
FAKE = {
    "LD_PRELOAD": "/usr/$LIB/faketime/libfaketime.so.1",
    "DONT_FAKE_MONOTONIC": "1",
}
FROM_FILE = {**FAKE, "FAKETIME_TIMESTAMP_FILE": "/tmp/offset", "FAKETIME_NO_CACHE": "1"}


async def run(
    subject: Subject, home: Path, task_id: str, variables: Mapping[str, str]
) -> tuple[Ending, dict[str, float], dict[str, float]]:
    """Run a task; give its end, its instants and its time line in milliseconds."""
    settings = replace(SETTINGS, heartbeat_seconds=0.2)
    async with Ward(subject, home, settings=settings) as ward:
        key = await ward.begin(task_id, **variables)
        end = (await ward.end(key))[task_id]
        result = (await ward.plane.result(key)).tasks[0]
        await all_gone(home)
    return end, result.instants, result.timeline_ms


@pytest.mark.parametrize(
    ("task_id", "days"), [("clock_jumps_forward", 400), ("clock_jumps_backward", -400)]
)
async def test_the_clock_jumps_while_a_task_runs(
    subject: Subject, tmp_path: Path, task_id: str, days: int
) -> None:
    began = time.monotonic()
    end, instants, timeline = await run(subject, tmp_path, task_id, FROM_FILE)
    assert (end.state, end.reason) == ("success", None), end
    assert end.value == pytest.approx(time.time() + days * DAY, abs=60)
    assert time.monotonic() - began < 60
    check_timeline(instants, timeline)


async def test_a_deadline_does_not_move_with_the_clock(subject: Subject, tmp_path: Path) -> None:
    began = time.monotonic()
    end, _, _ = await run(subject, tmp_path, "clock_jumps_and_time_runs_out", FROM_FILE)
    assert (end.state, end.exit_code) == ("failed", 124), end
    assert end.reason == "timed out: it ran longer than execution_timeout_seconds = 1.5"
    assert time.monotonic() - began < 60


@pytest.mark.parametrize("days", [-10_000, 5_000])
async def test_a_clock_that_is_wrong_all_along_breaks_nothing(
    subject: Subject, tmp_path: Path, days: int
) -> None:
    variables = {**FAKE, "FAKETIME": f"{days:+d}d"}
    end, instants, timeline = await run(subject, tmp_path, "runs_in_the_past", variables)
    assert end.state == "success", end
    assert end.value == pytest.approx(time.time() + days * DAY, abs=60)
    check_timeline(instants, timeline)


def check_timeline(instants: Mapping[str, float], timeline: Mapping[str, Any]) -> None:
    """The waits add up to the control plane's own time, whatever the container's clock says."""
    total = timeline["total"]
    assert total == pytest.approx((instants["reported"] - instants["scheduled"]) * 1000, abs=1)
    assert total < 60_000
    waits = [wait for name, wait in timeline.items() if name != "total"]
    assert min(waits) >= 0
    assert sum(waits) == pytest.approx(total, abs=100)
