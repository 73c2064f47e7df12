"""User code that closes, replaces or uses up descriptors, the agent's own among them."""

from __future__ import annotations

from pathlib import Path

import pytest
from table import Row, rows
from ward import Ending, Subject, run_together

pytestmark = pytest.mark.engine

LOST = "how the task ended is lost: user code has closed the descriptor by which it is told"
TABLE = (
    Row("closes_descriptors_1_and_2", "success", 0, value="returned", log="printed before\n"),
    Row("closes_stdout", "success", 0, value="returned"),
    Row("closes_stdout_and_prints", "failed", 1, "I/O operation on closed file. (descriptors.py:"),
    Row("has_no_stdout", "success", 0, value="returned"),
    Row("has_no_stderr_and_fails", "failed", 1, "ValueError: unseen"),
    Row("replaces_stdout", "success", 0, value="kept by the task\n"),
    Row("sends_descriptor_1_elsewhere", "success", 0, value="returned"),
    Row("closes_every_descriptor", "failed", 123, LOST, log="Bad file descriptor"),
    Row("closes_every_descriptor_and_fails", "failed", 123, LOST),
    Row("reuses_every_descriptor", "failed", 123, LOST, log="has been replaced"),
    Row(
        "may_open_no_more_files",
        "success",
        0,
        value="returned",
        log="while the task's process ended: OSError: [Errno 24] Too many open files",
    ),
    Row("may_open_no_more_files_and_fails", "failed", 1, "Too many open files: '/etc/os-release'"),
    Row("fills_every_descriptor", "failed", 1, "Too many open files: '/dev/null'"),
    Row("forgets_to_close_files", "success", 0, value="returned", log="no end of line"),
)


@pytest.fixture(scope="module")
def ends(subject: Subject, ward_home: Path) -> dict[str, Ending]:
    return run_together(subject, ward_home, [row.task_id for row in TABLE])


@rows(*TABLE)
def test_descriptors(row: Row, ends: dict[str, Ending]) -> None:
    row.check(ends[row.task_id])


def test_files_that_were_not_closed_are_whole(ends: dict[str, Ending], ward_home: Path) -> None:
    assert ends["forgets_to_close_files"].state == "success"
    for name in ("text", "data"):
        (file,) = ward_home.glob(f"runs/*/*/forgets_to_close_files/try-1/{name}")
        assert file.read_text() == "written"


def test_a_file_of_the_tasks_own_is_not_written_into(
    ends: dict[str, Ending], ward_home: Path
) -> None:
    assert ends["reuses_every_descriptor"].state == "failed"
    files = list(ward_home.glob("runs/*/*/reuses_every_descriptor/try-1/own-*"))
    assert len(files) == 20
    assert {file.read_bytes() for file in files} == {b""}
