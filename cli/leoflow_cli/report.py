"""How a run ended: the table with the time line of each task, and the same as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from leoflow_controlplane.model import RunResult, TaskResult
from rich.table import Table
from rich.text import Text

from leoflow_cli.liveview import STYLES
from leoflow_cli.screen import Screen

PHASES = ("queue", "create", "start", "agent", "import", "run", "report", "total")
RESULT_WIDTH = 100


def show(result: RunResult, seconds: float, screen: Screen) -> None:
    """Print where the time of each task went, what it returned, and how the run ended."""
    screen.line()
    screen.console.print(_table(result))
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
    screen.line(f"{result.dag_id} ended with {result.state} in {seconds:.2f} s{reason}", style)


def as_document(result: RunResult) -> dict[str, Any]:
    """Return what ``leoflow run --json`` prints."""
    return asdict(result)


def _table(result: RunResult) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 1))
    table.add_column("  ms in each phase", no_wrap=True)
    table.add_column("state", no_wrap=True)
    for phase in ("try", *PHASES):
        table.add_column(phase, justify="right", no_wrap=True)
    for task in result.tasks:
        cells = [_milliseconds(task.timeline_ms.get(phase)) for phase in PHASES]
        state = Text(str(task.state), style=STYLES.get(task.state or "", ""))
        table.add_row("  " + _name(task), state, str(task.try_number or "-"), *cells)
    return table


def _name(task: TaskResult) -> str:
    return task.task_id if task.map_index < 0 else f"{task.task_id}[{task.map_index}]"


def _milliseconds(value: float | None) -> str:
    return "" if value is None else f"{value:.0f}" if value >= 10 else f"{value:.1f}"


def _shortened(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return (
        text if len(text) <= RESULT_WIDTH else text[:RESULT_WIDTH] + f"… ({len(text)} characters)"
    )
