"""The terminal as rich sees it. Loaded where something is laid out or coloured."""

from __future__ import annotations

from rich.console import Console


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Leave the verdict to the command's end; rich would exit as if the run had failed."""
        raise


def make_console() -> Console:
    """Return stderr as a console."""
    return _Console(stderr=True, highlight=False)
