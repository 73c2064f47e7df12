"""User code that ends its own process: what it meant is what is told."""

from __future__ import annotations

from pathlib import Path

import pytest
from table import Row, rows
from ward import Ending, Subject, run_together

pytestmark = pytest.mark.engine

EARLY = "before its function returned or its exit handlers were done (os._exit?)"
TABLE = (
    Row("segfaults", "failed", 139, "killed by signal 11 (SIGSEGV)", log="before the fall\n"),
    Row("aborts", "failed", 134, "killed by signal 6 (SIGABRT)"),
    Row("leaves_hard_with_0", "failed", 1, f"ended with exit code 0 {EARLY}"),
    Row("leaves_hard_with_5", "failed", 5, f"ended with exit code 5 {EARLY}"),
    Row("leaves_hard_with_137", "failed", 1, f"ended with exit code 137 {EARLY}"),
    Row("leaves_hard_at_exit", "failed", 3, f"ended with exit code 3 {EARLY}"),
    Row("exits_with_nothing", "success", 0),
    Row("exits_with_false", "success", 0),
    Row("exits_with_true", "failed", 1, "user code left with sys.exit(True)"),
    Row("exits_with_7", "failed", 7, "user code left with sys.exit(7)"),
    Row("exits_with_99", "failed", 1, "user code left with sys.exit(99)"),
    Row("exits_with_125", "failed", 1, "user code left with sys.exit(125)"),
    Row("exits_with_minus_1", "failed", 1, "user code left with sys.exit(-1)"),
    Row("exits_with_256", "failed", 1, "user code left with sys.exit(256)"),
    Row("exits_with_more_digits_than_python_prints", "failed", 1, "user code left with sys.exit("),
    Row("exits_with_text", "failed", 1, "sys.exit('no more wood')", log="no more wood\n"),
    Row("exits_with_zero_point_zero", "failed", 1, "sys.exit('0.0')", log="0.0\n"),
    Row("exits_in_a_thread", "success", 0, value="went on"),
    Row("fails_at_exit", "success", 0, value="returned", log="ZeroDivisionError"),
    Row("leaves_a_thread_behind", "success", 0, value="returned", log="the thread has ended\n"),
    Row("leaves_a_daemon_thread_behind", "success", 0, value="returned"),
    Row("leaves_twice_by_fork", "failed", 137, "SIGKILL", log="made by fork, came back"),
    Row("copy_of_the_task_fails", "success", 0, value="the task itself", log="raised in the copy"),
)


@pytest.fixture(scope="module")
def ends(subject: Subject, ward_home: Path) -> dict[str, Ending]:
    return run_together(subject, ward_home, [*(row.task_id for row in TABLE), "exits_at_exit"])


@rows(*TABLE)
def test_leaving(row: Row, ends: dict[str, Ending]) -> None:
    row.check(ends[row.task_id])


def test_an_exit_code_of_an_exit_handler_changes_nothing(ends: dict[str, Ending]) -> None:
    """As in Python, which prints it and goes on."""
    end = ends["exits_at_exit"]
    assert (end.state, end.value, end.reason) == ("success", "returned", None)
    assert "SystemExit: 3" in end.log
