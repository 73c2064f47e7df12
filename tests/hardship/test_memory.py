"""Memory that runs out is told with the limit and how to raise it, and never fails a success."""

from __future__ import annotations

from pathlib import Path

import pytest
from table import Row, rows
from ward import Ending, Subject, run_together

pytestmark = pytest.mark.engine

TABLE = (
    Row("eats_memory", "failed", 137, "for exceeding its limit of 48 MiB (out of memory)."),
    Row("eats_up_to_its_limit", "failed", 137, "exceeding its limit of 64 MiB"),
    Row("child_eats_memory", "failed", 1, "died with <Signals.SIGKILL: 9>", log="Traceback"),
    Row("outlives_an_eater", "success", 0, value=-9),
    Row("bash_becomes_an_eater", "failed", 137, "exceeding its limit of 48 MiB"),
    Row("bash_starts_an_eater", "failed", 1, "bash left with exit code 137", log="it ended"),
)
ADVICE = "Raise resources.{0}.memory of task '{1}' in leoflow.yaml."


@pytest.fixture(scope="module")
def ends(subject: Subject, ward_home: Path) -> dict[str, Ending]:
    return run_together(subject, ward_home, [row.task_id for row in TABLE])


@rows(*TABLE)
def test_memory_runs_out(row: Row, ends: dict[str, Ending]) -> None:
    end = ends[row.task_id]
    row.check(end)
    assert end.oom_killed
    if end.state == "failed":
        field = "limits" if row.task_id == "eats_up_to_its_limit" else "requests"
        assert ADVICE.format(field, row.task_id) in (end.reason or "")
        assert "out of memory" in (end.reason or "")
