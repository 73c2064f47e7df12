"""How a run ended: the table with the time line of each task, and the same as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from leoflow_controlplane.model import FINISHED_RUN, RunResult, TaskResult
from rich.text import Text

from leoflow_cli.liveview import STYLES
from leoflow_cli.screen import Screen

PHASES = ("queue", "create", "place", "start", "agent", "import", "run", "report", "total")
# Only where tries are placed on one of many machines.
SELDOM = "place"
HEADER = ("  ms in each phase", "state", "try")
RESULT_WIDTH = 100


def show(result: RunResult, seconds: float, screen: Screen) -> None:
    """Print where the time of each task went, what it returned, and how the run ended."""
    screen.line()
    header, *rows = _table(result, screen.console.width)
    screen.line(header.plain, style="dim")
    for row in rows:
        screen.console.print(row, soft_wrap=True)
    screen.line()
    for task in result.tasks:
        if task.return_value is not None and task.state == "success":
            screen.line(f"  {_name(task)} returned {_shortened(task.return_value)}")
        if task.reason and task.state not in ("success", "upstream_failed"):
            screen.line(
                f"  {_name(task)} {task.state}: {task.reason}", STYLES.get(task.state or "", "")
            )
        if task.artifacts:
            screen.line(f"  {_name(task)} left artifacts in {task.artifacts}")
    reason = f": {result.reason}" if result.reason else ""
    style = STYLES.get(result.state, "")
    is_over = result.state in FINISHED_RUN
    verb, when = ("ended with", "in") if is_over else ("is", "since")
    screen.line(f"{result.dag_id} {verb} {result.state} {when} {seconds:.2f} s{reason}", style)


def as_document(result: RunResult) -> dict[str, Any]:
    """Return what ``leoflow run --json`` prints."""
    return asdict(result)


def _table(result: RunResult, width: int) -> list[Text]:
    """Lay the table out by hand: rich would cut its columns where the terminal is narrow."""
    has_seldom = any(SELDOM in task.timeline_ms for task in result.tasks)
    shown = tuple(phase for phase in PHASES if has_seldom or phase != SELDOM)
    cells = [(*HEADER, *shown), *(_cells(task, shown) for task in result.tasks)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    gap = "  " if sum(widths) + 2 * len(widths) <= width else " "
    styles = ["", *(STYLES.get(task.state or "", "") for task in result.tasks)]
    return [_row(row, widths, gap, style) for row, style in zip(cells, styles, strict=True)]


def _cells(task: TaskResult, shown: Sequence[str]) -> tuple[str, ...]:
    phases = (_milliseconds(task.timeline_ms.get(phase)) for phase in shown)
    return ("  " + _name(task), task.state or "none", str(task.try_number or "-"), *phases)


def _row(cells: Sequence[str], widths: Sequence[int], gap: str, style: str) -> Text:
    name, state, *numbers = cells
    padded = [text.rjust(width) for text, width in zip(numbers, widths[2:], strict=True)]
    first = Text(name.ljust(widths[0]) + gap)
    return first.append(state.ljust(widths[1]), style).append(gap + gap.join(padded))


def _name(task: TaskResult) -> str:
    return task.task_id if task.map_index < 0 else f"{task.task_id}[{task.map_index}]"


def _milliseconds(value: float | None) -> str:
    return "" if value is None else f"{value:.0f}" if value >= 10 else f"{value:.1f}"


def _shortened(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return (
        text if len(text) <= RESULT_WIDTH else text[:RESULT_WIDTH] + f"… ({len(text)} characters)"
    )
