"""Tables for people, laid out by hand: rich would cut ids, which people copy.

On a terminal that is too narrow whole columns are left out; those with a low rank come first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text

from leoflow_cli.liveview import STYLES
from leoflow_cli.screen import Screen

GAP = "  "


@dataclass(frozen=True)
class Column:
    """``rank`` 0: always shown. ``is_state``: cells have the colour of the state they name."""

    title: str
    rank: int = 0
    is_state: bool = False
    to_right: bool = False


def show(columns: Sequence[Column], rows: Sequence[Sequence[str]], screen: Screen) -> None:
    """Print a table; columns that are empty in every row are left out."""
    cells = [[_one_line(cell) for cell in row] for row in rows]
    widths = [
        max([len(column.title), *(len(row[at]) for row in cells)])
        for at, column in enumerate(columns)
    ]
    filled = [at for at in range(len(columns)) if any(row[at] for row in cells)]
    room = screen.console.width if screen.console.is_terminal else None
    shown = _fitting(filled, columns, widths, room)
    header = [(columns[at].title, "dim") for at in shown]
    for line in (header, *([_styled(columns[at], row[at]) for at in shown] for row in cells)):
        text = Text()
        for (cell, style), at in zip(line, shown, strict=True):
            padded = cell.rjust(widths[at]) if columns[at].to_right else cell.ljust(widths[at])
            text.append(padded, style).append(GAP)
        text.rstrip()
        screen.console.print(text, soft_wrap=True)


def _fitting(
    filled: list[int], columns: Sequence[Column], widths: Sequence[int], room: int | None
) -> list[int]:
    """Return the columns that fit, in their order; those of rank 0 are shown in any case."""
    chosen: list[int] = []
    for at in sorted(filled, key=lambda at: columns[at].rank):
        width = sum(widths[one] + len(GAP) for one in [*chosen, at]) - len(GAP)
        if room is None or columns[at].rank == 0 or width <= room:
            chosen.append(at)
    return sorted(chosen)


def _styled(column: Column, cell: str) -> tuple[str, str]:
    return cell, STYLES.get(cell, "") if column.is_state else ""


def _one_line(cell: str) -> str:
    """Return a cell without what would break the line or move the cursor."""
    return "".join(one if one.isprintable() else " " for one in cell)
