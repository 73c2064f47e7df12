"""A run as it happens: a line for each state and for each line that a task writes."""

from __future__ import annotations

from leoflow_controlplane.model import Update

from leoflow_cli.harmless import split_lines
from leoflow_cli.screen import Screen

STYLES = {
    "success": "green",
    "failed": "red",
    "up_for_retry": "yellow",
    "upstream_failed": "red",
    "skipped": "magenta",
}
SHOWN = {"running", *STYLES}


class LiveView:
    """Prints updates with the seconds since the run began."""

    def __init__(self, screen: Screen, began: float) -> None:
        self._screen = screen
        self._began = began

    def show(self, update: Update) -> None:
        """Print one update; states that pass at once are left to the time line."""
        if update.task_id is None:
            return
        if update.kind == "log":
            for line in split_lines(update.text):
                self._line(update, f"│ {line}", "")
        elif update.text in SHOWN:
            number = f" (try {update.try_number})" if update.try_number > 1 else ""
            reason = f": {update.reason}" if update.reason else ""
            self._line(update, update.text + number + reason, STYLES.get(update.text, "dim"))

    def _line(self, update: Update, text: str, style: str) -> None:
        name = update.task_id or ""
        if update.map_index >= 0:
            name += f"[{update.map_index}]"
        self._screen.line(f"{update.at - self._began:7.2f} s  {name:<20} {text}", style)
