"""What is shown of a budget."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from leoflow_agent.spec import Quantities, Resources
from leoflow_builder.budgetreport import BudgetReport, Excess, Measured
from leoflow_builder.importsource import ProjectCode
from leoflow_builder.importtime import Import
from leoflow_builder.stopwatch import Timing
from leoflow_cli.budget_view import show
from leoflow_cli.screen import Screen
from rich.console import Console

PANDAS = Import("pandas", 239_000, 239_000)
DAG = Import("dag", 1000, 240_000, (PANDAS,))


@pytest.fixture
def screen() -> Screen:
    made = Screen()
    made.console = Console(file=io.StringIO(), width=80, highlight=False)
    return made


def lines(screen: Screen) -> list[str]:
    return screen.console.file.getvalue().splitlines()  # type: ignore[attr-defined,no-any-return]


def report(folder: Path, *excesses: Excess, task_ids: tuple[str, ...] = ("load",)) -> BudgetReport:
    (folder / "dag.py").write_text("import os\nimport pandas\n")
    small = Resources(Quantities(250, 2**27))
    one = Measured(task_ids, "dag", small, (Timing(50, 200), Timing(60, 300)), (DAG,))
    limits = {"compressed_mb": 60.0, "import_ms": 300.0}
    return BudgetReport(limits, 48.6, (one,), excesses, ("a note",), ProjectCode(folder))  # type: ignore[arg-type]


def test_figures_stand_beside_their_limits(tmp_path: Path, screen: Screen) -> None:
    show(report(tmp_path), screen)
    shown = [line.split() for line in lines(screen)]
    assert shown[:6] == [
        ["budget", "min", "median", "limit"],
        ["image,", "compressed", "48.6", "MB", "60", "MB"],
        ["task", "'load',", "2", "starts,", "ms"],
        ["until", "the", "agent", "imports", "50.0", "55.0"],
        ["import", "of", "'dag'", "200.0", "250.0", "300"],
        ["until", "the", "first", "line", "of", "user", "code", "250.0", "305.0"],
    ]
    assert lines(screen)[-2:] == ["  a note", "  within the budget"]


def test_imports_are_a_tree_with_the_lines_that_cause_them(tmp_path: Path, screen: Screen) -> None:
    show(report(tmp_path), screen)
    title, dag, pandas = lines(screen)[6:9]
    assert title.split() == ["slowest", "imports", "of", "'dag',", "traced", "self", "total"]
    assert dag == "    dag" + " " * 41 + "     1.0    240.0"
    assert pandas == "      pandas" + " " * 36 + "   239.0    239.0  dag.py:2"


def test_what_is_over_budget_comes_last(tmp_path: Path, screen: Screen) -> None:
    excess = Excess("import_ms", 400, 300, "pandas", "leoflow.yaml:2", ("load",))
    show(report(tmp_path, excess), screen)
    assert lines(screen)[-1] == str(excess)
    assert "within the budget" not in screen.console.file.getvalue()  # type: ignore[attr-defined]


def test_the_table_fits_a_narrow_terminal(tmp_path: Path, screen: Screen) -> None:
    show(report(tmp_path, task_ids=tuple(f"{n}" * 40 for n in range(9))), screen)
    assert max(map(len, lines(screen))) <= 80
