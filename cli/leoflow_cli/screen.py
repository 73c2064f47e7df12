"""What people see while a command works: everything goes to stderr, stdout is for --json.

On a terminal a long step shows that it lives; elsewhere each step is a plain line.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import IO, TYPE_CHECKING

from leoflow_cli.harmless import harmless
from leoflow_cli.plain import MEGABYTE

if TYPE_CHECKING:
    from rich.console import Console
    from rich.status import Status

WIDTH_OF_A_FILE = 120


class Screen:
    """The terminal, or whatever stderr is. Where it is none, rich is not loaded for a line."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._status: Status | None = None
        warnings.showwarning = self._show_warning  # type: ignore[assignment]

    @cached_property
    def console(self) -> Console:
        """What lays out tables and colours."""
        from leoflow_cli.console import make_console

        console = make_console()
        if not console.is_terminal:
            console.width = WIDTH_OF_A_FILE
        return console

    @property
    def _is_plain(self) -> bool:
        """Whether lines go where colours do not; rich need not be loaded to know it."""
        if "console" in vars(self):
            return not self.console.is_terminal
        if not sys.stderr.isatty() and not os.environ.get("FORCE_COLOR"):
            return True
        return not self.console.is_terminal

    @contextmanager
    def working(self, text: str) -> Iterator[None]:
        """Show that something takes its time, until the block ends."""
        if self._quiet or self._is_plain:
            yield
            return
        from rich.text import Text

        with self.console.status(Text(harmless(text))) as self._status:
            yield
        self._status = None

    def say(self, text: str) -> None:
        """Show one step of what is being worked on."""
        if self._status is not None:
            self._update(text)
        self.line("  " + text, style="dim")

    def progress(self, what: str, done_bytes: int, total_bytes: int) -> None:
        """Show how far a transfer is, on a terminal only: a file would get a line for each step."""
        if self._status is not None:
            done, total = done_bytes / MEGABYTE, total_bytes / MEGABYTE
            self._update(f"{what}: {done:.1f} of {total:.1f} MB")

    def _update(self, text: str) -> None:
        from rich.text import Text

        assert self._status is not None
        self._status.update(Text(harmless(text)))

    def line(self, text: str = "", style: str = "") -> None:
        """Print one line, however long: on a terminal what is `harmless` of it, else as it is."""
        if self._quiet:
            return
        if self._is_plain:
            self._file.write(text + "\n")
            return
        text = harmless(text)
        if "\x1b" in text or style or self._status is not None:
            from rich.text import Text

            shown = Text.from_ansi(text, style=style) if "\x1b" in text else Text(text, style)
            self.console.print(shown, soft_wrap=True)
        else:
            # A task may print faster than rich can lay out what needs no layout.
            self._file.write(text + "\n")

    @property
    def _file(self) -> IO[str]:
        return self.console.file if "console" in vars(self) else sys.stderr

    def _show_warning(self, message: Warning | str, *_: object) -> None:
        self.line(f"warning: {message}", style="yellow")
