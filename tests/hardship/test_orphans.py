"""Processes that a task leaves behind are reaped, hold nothing up, and go with the container."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from table import Row, rows
from ward import Ending, Subject, Ward, all_gone, run_together

pytestmark = pytest.mark.engine

TABLE = (
    Row("orphans_are_reaped", "success", 0, value="only the agent and the task are left"),
    Row("leaves_zombies", "success", 0, value=202),
    Row("leaves_a_daemon_that_prints_without_end", "success", 0, value="returned"),
    Row("dies_and_leaves_a_daemon_that_prints_without_end", "failed", 137, "SIGKILL"),
    Row("bash_leaves_children", "success", 0, value="started"),
)


@pytest.fixture(scope="module")
def ends(subject: Subject, ward_home: Path) -> dict[str, Ending]:
    return run_together(subject, ward_home, [row.task_id for row in TABLE])


@rows(*TABLE)
def test_orphans(row: Row, ends: dict[str, Ending]) -> None:
    row.check(ends[row.task_id])


async def test_500_orphans_do_not_hold_the_verdict_up(subject: Subject, tmp_path: Path) -> None:
    async with Ward(subject, tmp_path) as ward:
        key = await ward.begin("leaves_500_orphans")
        end = (await ward.end(key))["leaves_500_orphans"]
        instants = (await ward.plane.result(key)).tasks[0].instants
        await all_gone(tmp_path)
    assert (end.state, end.reason) == ("success", None)
    # Three of four were still there: those that died at once may be reaped by now.
    assert end.value >= 375
    assert instants["reported"] - instants["left"] < 10
    assert instants["ended"] - instants["reported"] < 30


@pytest.mark.parametrize("task_id", ["forks_without_end", "everybody_forks_without_end"])
async def test_a_fork_bomb_fails_and_the_agent_lives_to_say_so(
    subject: Subject, tmp_path: Path, task_id: str
) -> None:
    def limit(body: dict[str, Any]) -> None:
        body["HostConfig"]["PidsLimit"] = 200

    began = time.monotonic()
    async with Ward(subject, tmp_path, limit) as ward:
        end = await ward.run_one(task_id)
        await all_gone(tmp_path)
    assert (end.state, end.exit_code) == ("failed", 1), end
    assert "BlockingIOError: [Errno 11] Resource temporarily unavailable" in (end.reason or "")
    assert time.monotonic() - began < 100
