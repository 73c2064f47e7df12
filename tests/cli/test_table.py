"""Tables and times are for people: nothing they copy is cut, and nothing breaks a line."""

from __future__ import annotations

import io
import time
from datetime import UTC, datetime

import pytest
from leoflow_cli.moment import duration, local, seconds_between
from leoflow_cli.screen import Screen
from leoflow_cli.table import Column, show
from rich.console import Console

COLUMNS = (Column("name"), Column("wide", 1), Column("state", 2, is_state=True))


def shown(rows, width: int, *, terminal: bool = True) -> str:
    screen = Screen()
    colours = "standard" if terminal else "auto"
    screen.console = Console(
        file=io.StringIO(), width=width, force_terminal=terminal, color_system=colours
    )
    show(COLUMNS, rows, screen)
    return screen.console.file.getvalue()  # type: ignore[attr-defined]


def test_what_does_not_fit_a_terminal_goes_by_columns_and_ids_stay_whole():
    rows = [("a" * 30, "b" * 30, "success")]
    assert "b" not in shown(rows, 40)
    assert "success" in shown(rows, 40)
    assert "a" * 30 in shown(rows, 10)
    assert "b" * 30 in shown(rows, 80)


def test_a_file_gets_all_columns_and_no_colour():
    text = shown([("a" * 90, "b" * 90, "failed")], 40, terminal=False)
    assert text.splitlines()[1] == f"{'a' * 90}  {'b' * 90}  failed"


def test_columns_without_content_are_left_out():
    assert "wide" not in shown([("a", "", "failed")], 80)


def test_cells_cannot_break_the_table_or_move_the_cursor():
    text = shown([("a\nb\x1b[2Jc", "[red]d", "x")], 80, terminal=False)
    assert text.splitlines()[1].split() == ["a", "b", "[2Jc", "[red]d", "x"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, ""),
        (0.004, "0.00 s"),
        (9.99, "9.99 s"),
        (9.999, "10 s"),
        (60, "1 min"),
        (125, "2 min 5 s"),
        (3600, "1 h"),
        (11_045, "3 h 4 min"),
        (183_600, "2 d 3 h"),
    ],
)
def test_durations(seconds: float | None, text: str):
    assert duration(seconds) == text


def test_instants_are_local_with_their_offset(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TZ", "Europe/Oslo")
    time.tzset()
    try:
        assert local("2026-07-01T12:00:00.250Z") == "2026-07-01 14:00:00+02:00"
        assert local("2026-01-01T12:00:00+00:00") == "2026-01-01 13:00:00+01:00"
    finally:
        monkeypatch.undo()
        time.tzset()
    assert local(None) == ""
    assert local("soon") == "soon"


def test_what_has_not_ended_has_taken_until_now():
    now = datetime(2026, 1, 1, 0, 1, tzinfo=UTC)
    assert seconds_between("2026-01-01T00:00:00Z", None, now) == 60
    assert seconds_between("2026-01-01T00:00:00Z", "2026-01-01T00:00:05Z", now) == 5
    assert seconds_between(None, None, now) is None
