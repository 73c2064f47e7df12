"""What people see while a command works: everything goes to stderr, stdout is for --json.

On a terminal a long step shows that it lives; elsewhere each step is a plain line.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.control import strip_control_codes
from rich.status import Status
from rich.text import Text

from leoflow_cli.plain import MEGABYTE

WIDTH_OF_A_FILE = 120


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Leave the verdict to the command's end; rich would exit as if the run had failed."""
        raise


class Screen:
    """The terminal, or whatever stderr is."""

    def __init__(self, *, quiet: bool = False) -> None:
        self.console = _Console(stderr=True, highlight=False)
        self._quiet = quiet
        if not self.console.is_terminal:
            self.console.width = WIDTH_OF_A_FILE
        self._status: Status | None = None
        warnings.showwarning = self._show_warning  # type: ignore[assignment]

    @contextmanager
    def working(self, text: str) -> Iterator[None]:
        """Show that something takes its time, until the block ends."""
        if self._quiet or not self.console.is_terminal:
            yield
            return
        with self.console.status(Text(text)) as self._status:
            yield
        self._status = None

    def say(self, text: str) -> None:
        """Show one step of what is being worked on."""
        if self._status is not None:
            self._status.update(Text(text))
        self.line("  " + text, style="dim")

    def progress(self, what: str, done_bytes: int, total_bytes: int) -> None:
        """Show how far a transfer is, on a terminal only: a file would get a line for each step."""
        if self._status is not None:
            done, total = done_bytes / MEGABYTE, total_bytes / MEGABYTE
            self._status.update(Text(f"{what}: {done:.1f} of {total:.1f} MB"))

    def line(self, text: str = "", style: str = "") -> None:
        """Print one line as it is, however long; of control sequences only colours count."""
        if self._quiet:
            return
        if "\x1b" in text:
            self.console.print(Text.from_ansi(text, style=style), soft_wrap=True)
        elif style or self._status is not None:
            self.console.print(Text(text, style=style), soft_wrap=True)
        else:
            # A task may print faster than rich can lay out what needs no layout.
            self.console.file.write(strip_control_codes(text) + "\n")

    def _show_warning(self, message: Warning | str, *_: object) -> None:
        self.line(f"warning: {message}", style="yellow")
