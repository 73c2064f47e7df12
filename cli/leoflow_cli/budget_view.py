"""How a budget was kept: what starts cost, which imports took the time, and what is over."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from rich.text import Text

from leoflow_cli.screen import Screen

if TYPE_CHECKING:
    from leoflow_builder.budgetreport import BudgetReport, FigureName, Measured, Spread
    from leoflow_builder.importsource import ProjectCode
    from leoflow_builder.importtime import Import

IMPORTS_SHOWN = 10
NAME_WIDTH = 46


def show(report: BudgetReport, screen: Screen) -> None:
    """Print every figure with its limit, the slowest imports, and last what is over budget."""
    if report.measured or report.compressed_mb is not None:
        _row(Row("budget", "min", "median", "limit"), screen, "dim")
    if report.compressed_mb is not None:
        limit = report.limits.get("compressed_mb")
        shown = "" if limit is None else f"{limit:g} MB"
        style = "red" if report.exceeds("compressed_mb") else ""
        row = Row("image, compressed", "", f"{report.compressed_mb:.1f} MB", shown)
        _row(row, screen, style)
    for one in report.measured:
        _show_figures(one, report, screen)
    for one in report.measured:
        _show_imports(one, report.code, screen)
    for note in report.notes:
        screen.line(f"  {note}", style="yellow")
    for excess in report.excesses:
        screen.line(str(excess), style="red")
    if report.limits and report.kept:
        screen.line("  within the budget", style="green")


class Row(NamedTuple):
    """One line of the table."""

    name: str
    minimum: str
    median: str
    limit: str = ""


def _show_figures(one: Measured, report: BudgetReport, screen: Screen) -> None:
    from leoflow_builder.budgetreport import name_tasks

    runs = f"{len(one.timings)} starts, ms"
    screen.line(f"  {_shortened(name_tasks(one.task_ids), NAME_WIDTH + 12)}, {runs}")
    figures: tuple[tuple[str, Spread, FigureName | None], ...] = (
        ("until the agent imports", one.start_ms, None),
        (f"import of '{one.module}'", one.import_ms, "import_ms"),
        ("until the first line of user code", one.user_code_ms, "user_code_ms"),
    )
    for text, spread, figure in figures:
        limit = None if figure is None else report.limits.get(figure)
        over = figure is not None and report.exceeds(figure, one.task_ids)
        cells = (f"{spread.minimum:.1f}", f"{spread.median:.1f}")
        row = Row(f"  {text}", *cells, "" if limit is None else f"{limit:g}")
        _row(row, screen, "red" if over else "")


def _row(row: Row, screen: Screen, style: str = "") -> None:
    name = _shortened(row.name, NAME_WIDTH)
    line = f"  {name:<{NAME_WIDTH}}{row.minimum:>8}{row.median:>9}{row.limit:>9}"
    screen.line(line.rstrip(), style)


def _show_imports(one: Measured, code: ProjectCode, screen: Screen) -> None:
    """Print the tree of the slowest imports; where the project imports them, with the line."""
    from leoflow_builder.importtime import slowest

    _row(Row(f"slowest imports of '{one.module}', traced", "self", "total"), screen, "dim")
    for depth, node, place in _lines(slowest(one.imports, IMPORTS_SHOWN), code, None, 1):
        name = _shortened("  " * depth + node.name, NAME_WIDTH)
        text = Text(f"  {name:<{NAME_WIDTH}}{node.self_us / 1000:>8.1f}")
        text.append(f"{node.cumulative_us / 1000:>9.1f}")
        if place is not None:
            text.append(f"  {place}", "dim")
        screen.console.print(text, soft_wrap=True)


def _lines(
    nodes: tuple[Import, ...], code: ProjectCode, importer: str | None, depth: int
) -> Iterator[tuple[int, Import, str | None]]:
    for node in nodes:
        place = None if importer is None else code.place_of(importer, node.name)
        yield depth, node, place
        yield from _lines(node.children, code, node.name, depth + 1)


def _shortened(text: str, width: int) -> str:
    return text if len(text) < width else text[: width - 2] + "…"
