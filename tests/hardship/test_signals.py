"""Signals that user code sends to itself and to the agent."""

from __future__ import annotations

from pathlib import Path

import pytest
from table import Row, rows
from ward import Ending, Subject, run_together

pytestmark = pytest.mark.engine

LATE = "timed out: it ran longer than execution_timeout_seconds = 6"
TABLE = (
    Row("kills_itself", "failed", 137, "the task's process was killed by signal 9 (SIGKILL)"),
    Row("sends_itself_sigusr1", "failed", 138, "the task's process was killed by signal 10"),
    Row("tries_to_kill_the_agent", "success", 0, value="the agent lives"),
    Row("stops_itself", "failed", 124, LATE),
    Row("ignores_every_signal", "failed", 124, LATE, log="ready"),
    Row("blocks_every_signal", "failed", 124, LATE, log="ready"),
)


@pytest.fixture(scope="module")
def ends(subject: Subject, ward_home: Path) -> dict[str, Ending]:
    return run_together(subject, ward_home, [row.task_id for row in TABLE])


@rows(*TABLE)
def test_signals(row: Row, ends: dict[str, Ending]) -> None:
    row.check(ends[row.task_id])
