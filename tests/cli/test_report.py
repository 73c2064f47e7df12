"""What is told of a run, live and at its end."""

from __future__ import annotations

import io

import pytest
from leoflow_cli.liveview import LiveView
from leoflow_cli.plain import megabytes
from leoflow_cli.report import as_document, show
from leoflow_cli.screen import Screen
from leoflow_controlplane.model import RunResult, TaskResult, Update
from rich.console import Console


@pytest.fixture
def screen():
    made = Screen()
    made.console = Console(file=io.StringIO(), width=120, highlight=False)
    return made


def _text(screen) -> str:
    return screen.console.file.getvalue()


def _task(**changes):
    values = {
        "task_id": "load",
        "map_index": -1,
        "state": "success",
        "try_number": 1,
        "reason": None,
        "return_value": None,
        "artifacts": None,
        "timeline_ms": {"queue": 0.4, "create": 12.6, "total": 250.0},
        "instants": {},
    }
    return TaskResult(**{**values, **changes})


def _run(*tasks, state="success", reason=None):
    return RunResult("etl", "manual__1", state, reason, "leoflow/etl:1", tasks)


def test_the_table_has_each_task_with_its_phases(screen):
    show(_run(_task()), 1.5, screen)
    row = next(line for line in _text(screen).splitlines() if "load" in line)
    assert row.split() == ["load", "success", "1", "0.4", "13", "250"]


def test_the_wait_for_a_node_has_a_column_only_where_there_is_one(screen):
    pod = _task(timeline_ms={"create": 12.0, "place": 34.0, "start": 56.0})
    show(_run(pod, _task(task_id="call", timeline_ms={})), 1.5, screen)
    show(_run(_task()), 1.5, screen)
    headers = [line.split() for line in _text(screen).splitlines() if "ms in each" in line]
    assert [header[6:10] for header in headers] == [
        ["queue", "create", "place", "start"],
        ["queue", "create", "start", "agent"],
    ]
    row = next(line for line in _text(screen).splitlines() if "load" in line)
    assert row.split() == ["load", "success", "1", "12", "34", "56"]


def test_the_table_is_whole_on_a_narrow_terminal(screen):
    screen.console = Console(file=io.StringIO(), width=80, highlight=False)
    phases = ("queue", "create", "start", "agent", "import", "run", "report", "total")
    show(_run(_task(timeline_ms=dict.fromkeys(phases, 1234.0))), 1.5, screen)
    header, row = _text(screen).splitlines()[1:3]
    assert header.split() == ["ms", "in", "each", "phase", "state", "try", *phases]
    assert row.split()[3:] == ["1234"] * len(phases)
    assert max(len(header), len(row)) <= 80


def test_results_are_shown_and_long_ones_are_cut_with_their_length(screen):
    show(_run(_task(return_value=list(range(100)))), 1, screen)
    assert "load returned [0, 1, 2" in _text(screen)
    assert "(390 characters)" in _text(screen)


def test_the_reason_of_a_failure_and_where_artifacts_are_is_said(screen):
    failed = _task(state="failed", reason="ValueError: x (dag.py:3)", artifacts="/a/b")
    show(_run(failed, state="failed"), 1, screen)
    assert "load failed: ValueError: x (dag.py:3)" in _text(screen)
    assert "load left artifacts in /a/b" in _text(screen)
    assert "etl ended with failed in 1.00 s" in _text(screen)


def test_the_document_has_what_the_contract_names():
    document = as_document(_run(_task()))
    assert {"run_id", "state", "image", "tasks"} <= document.keys()
    assert {
        "task_id",
        "map_index",
        "state",
        "try_number",
        "reason",
        "return_value",
        "timeline_ms",
    } <= document["tasks"][0].keys()


def test_live_lines_have_the_seconds_the_task_and_what_happened(screen):
    view = LiveView(screen, 100.0)
    view.show(Update("state", 100.5, "scheduled", "load"))
    view.show(Update("state", 101.25, "running", "load", try_number=2))
    view.show(Update("log", 102.0, "one\ntwo\n", "load", stream="stdout"))
    view.show(Update("state", 103.0, "failed", "load", try_number=1, reason="no luck"))
    view.show(Update("state", 103.0, "failed"))
    lines = [line.split(None, 2) for line in _text(screen).splitlines()]
    assert [line[0] for line in lines] == ["1.25", "2.00", "2.00", "3.00"]
    assert "running (try 2)" in lines[0][2]
    assert lines[1][2].endswith("│ one")
    assert lines[3][2].endswith("failed: no luck")


def test_markup_in_what_a_task_prints_is_left_alone(screen):
    LiveView(screen, 0.0).show(Update("log", 1.0, "[red]x[/red] [/]\n", "load"))
    assert "[red]x[/red] [/]" in _text(screen)


def test_colours_of_a_task_reach_a_terminal_and_nothing_else_does(screen):
    screen.console = Console(
        file=io.StringIO(), force_terminal=True, color_system="standard", width=120
    )
    update = Update("log", 1.0, "\x1b[2J\x1b[31mred\x1b[0m\x07 plain\n\x9b2Jbye\n", "load")
    LiveView(screen, 0.0).show(update)
    first, second = _text(screen).splitlines()
    assert first.endswith("│ \x1b[31mred\x1b[0m^G plain")
    assert second.endswith("│ bye")


def test_what_is_no_terminal_gets_what_a_task_printed(screen):
    printed = "\x1b[2J\x1b[31mred\x1b[0m\x07 plain\x9b2J"
    LiveView(screen, 0.0).show(Update("log", 1.0, printed + "\n", "load"))
    assert _text(screen).endswith(f"│ {printed}\n")


@pytest.mark.parametrize(
    ("size", "text"), [(None, "?"), (0, "0.0 kB"), (999_949, "999.9 kB"), (15_100_000, "15.1 MB")]
)
def test_sizes_are_for_people(size, text):
    assert megabytes(size) == text
