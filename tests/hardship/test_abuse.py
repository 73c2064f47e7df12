"""User code that bends the interpreter that it shares with the agent's half."""

from __future__ import annotations

from pathlib import Path

import pytest
from table import Row, rows
from ward import Ending, Subject, run_together

pytestmark = pytest.mark.engine

TABLE = (
    Row("raises_what_cannot_be_printed", "failed", 1, "Unspeakable: ", log="raise Unspeakable"),
    Row("raises_a_lone_surrogate", "failed", 1, "ValueError: half a pair: ? (abuse.py:"),
    Row("prints_a_lone_surrogate", "failed", 1, "surrogates not allowed (abuse.py:"),
    Row("returns_a_lone_surrogate", "success", 0, value="half a pair: \ud83d"),
    Row("raises_null_and_control_characters", "failed", 1, "ValueError: a\ufffdb\x1bc (abuse.py:"),
    Row("recurses_without_end", "failed", 1, "RecursionError: maximum recursion depth exceeded"),
    Row("recurses_into_the_stack", "failed", 139, "killed by signal 11 (SIGSEGV)"),
    Row("lowers_the_recursion_limit", "success", 0, value="returned"),
    Row("forgets_every_module", "success", 0, value="returned"),
    Row("forgets_every_module_and_fails", "failed", 1, "ValueError: where am I"),
    Row("goes_to_a_folder_that_vanishes", "failed", 1, "ValueError: nowhere (abuse.py:"),
    Row("replaces_builtins", "failed", 123, "or broken the interpreter"),
    Row("replaces_signal_handlers", "success", 0, value="returned"),
    Row("traces_every_line", "failed", 1, "ZeroDivisionError: division by zero (abuse.py:"),
    Row("raises_keyboard_interrupt", "failed", 1, "KeyboardInterrupt (abuse.py:"),
    Row("raises_generator_exit", "failed", 1, "GeneratorExit: odd (abuse.py:"),
    Row("swallows_what_would_end_it", "failed", 124, "timed out: it ran longer than"),
)


@pytest.fixture(scope="module")
def ends(subject: Subject, ward_home: Path) -> dict[str, Ending]:
    return run_together(subject, ward_home, [*(row.task_id for row in TABLE), "raises_a_megabyte"])


@rows(*TABLE)
def test_abuse(row: Row, ends: dict[str, Ending]) -> None:
    row.check(ends[row.task_id])


def test_a_long_message_is_cut_in_the_reason_and_whole_in_the_log(ends: dict[str, Ending]) -> None:
    end = ends["raises_a_megabyte"]
    assert end.reason is not None
    assert end.reason.startswith("ValueError: xxx")
    assert len(end.reason) < 4096
    assert "x" * 2**20 in end.log
