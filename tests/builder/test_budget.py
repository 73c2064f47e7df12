"""An image held to a budget."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from leoflow_agent.action import BashAction, HttpAction, PythonAction
from leoflow_agent.spec import DagSpec, Quantities, Resources, Source, TaskSpec
from leoflow_builder.budget import RUNS, Subject, check_budget, module_of
from leoflow_builder.budgetreport import BudgetReport
from leoflow_builder.fakestopwatch import FakeStopwatch
from leoflow_builder.importtime import Import
from leoflow_builder.layerreport import LayerReport
from leoflow_builder.project import load_project
from leoflow_builder.stopwatch import Timing

SMALL = Resources(Quantities(250, 2**27))
PYTHON = PythonAction("dag")
DAG = Import("dag", 1000, 240_000, (Import("pandas", 239_000, 239_000),))
# The first start is not counted.
TIMINGS = [Timing(9000, 9000), *(Timing(50, ms) for ms in (300, 200, 250, 220, 900))]


def tasks(**actions: Any) -> tuple[TaskSpec, ...]:
    return tuple(
        TaskSpec(name, action, SMALL, Source("dag.py", 1)) for name, action in actions.items()
    )


def subject(folder: Path, budget: str, spec: DagSpec | None = None, **fields: Any) -> Subject:
    (folder / "dag.py").write_text("import os\nimport pandas\n")
    (folder / "leoflow.yaml").write_text(f"python_version: '3.11'\nbudget: {budget}\n")
    spec = spec or DagSpec("d", "3.11", tasks(load=PYTHON))
    layers = [LayerReport("deps", None, 33_000_000, True)]
    known = {"compressed_bytes": 48_600_000, "layers": layers, **fields}
    return Subject(load_project(folder), spec, "leoflow/d:1", **known)


def check(subject: Subject, watch: FakeStopwatch | None = None) -> BudgetReport:
    watch = watch or FakeStopwatch({"dag": TIMINGS}, {"dag": [DAG]})
    return check_budget(subject, watch, lambda _: None)


def test_what_is_within_the_budget_is_kept(tmp_path: Path) -> None:
    report = check(subject(tmp_path, "{compressed_mb: 60, import_ms: 300, user_code_ms: 500}"))
    assert (report.kept, report.excesses, report.notes) == (True, (), ())


def test_medians_count_and_the_first_start_does_not(tmp_path: Path) -> None:
    (one,) = check(subject(tmp_path, "{import_ms: 300}")).measured
    assert len(one.timings) == RUNS
    assert (one.import_ms.minimum, one.import_ms.median) == (200, 250)
    assert (one.user_code_ms.minimum, one.user_code_ms.median) == (250, 300)


def test_each_figure_over_its_limit_is_told_with_line_and_culprit(tmp_path: Path) -> None:
    report = check(subject(tmp_path, "{compressed_mb: 48, import_ms: 249, user_code_ms: 299.5}"))
    assert [str(one) for one in report.excesses] == [
        "leoflow.yaml:2: compressed_mb is 48.6 MB, the budget is 48: "
        "the layer deps is the largest, 33.0 MB",
        "leoflow.yaml:2: import_ms for task 'load' is 250.0 ms, the budget is 249: "
        "pandas 239 of 240 ms, imported at dag.py:2",
        "leoflow.yaml:2: user_code_ms for task 'load' is 300.0 ms, the budget is 299.5: "
        "50 ms until the agent imports, 250 ms to import "
        "(pandas 239 of 240 ms, imported at dag.py:2)",
    ]
    assert not report.kept
    assert [one["figure"] for one in report.as_json()["exceeded"]] == [
        "compressed_mb",
        "import_ms",
        "user_code_ms",
    ]


def test_nothing_is_started_for_a_budget_of_the_size_alone(tmp_path: Path) -> None:
    watch = FakeStopwatch({}, {})
    assert check(subject(tmp_path, "{compressed_mb: 48.6}"), watch).kept
    assert watch.starts == []


def test_without_a_budget_everything_is_measured_and_nothing_judged(tmp_path: Path) -> None:
    report = check(subject(tmp_path, "{}"))
    assert len(report.measured) == 1
    assert report.notes == ("leoflow.yaml has no budget, so nothing was judged",)


def test_a_size_that_is_not_known_is_said(tmp_path: Path) -> None:
    report = check(subject(tmp_path, "{compressed_mb: 1}", compressed_bytes=None))
    assert report.kept
    assert report.notes[0].startswith("compressed_mb could not be checked")


def test_tasks_that_start_alike_are_measured_once(tmp_path: Path) -> None:
    large = Resources(Quantities(1000, 2**30))
    spec = DagSpec(
        "d",
        "3.11",
        (
            *tasks(a=PYTHON, b=PythonAction("dag", "f"), c=BashAction(python=PYTHON)),
            TaskSpec("d", PYTHON, large, Source("dag.py", 1)),
        ),
    )
    report = check(subject(tmp_path, "{import_ms: 1}", spec))
    assert [one.task_ids for one in report.measured] == [("a", "b", "c"), ("d",)]
    assert [one.task_ids for one in report.excesses] == [("a", "b", "c"), ("d",)]


def test_tasks_without_imports_are_named(tmp_path: Path) -> None:
    actions = {"say": BashAction("true"), "ask": HttpAction("https://example.org")}
    spec = DagSpec("d", "3.11", tasks(**actions))
    report = check(subject(tmp_path, "{import_ms: 1}", spec))
    assert report.measured == ()
    assert report.notes == (
        "tasks 'say', 'ask' import no module, as bash and HTTP tasks do not: not measured",
    )


@pytest.mark.parametrize(("variable", "fresh"), [("PYTHONOPTIMIZE", True), ("TZ", False)])
def test_variables_of_the_interpreter_s_start_it_twice(tmp_path, variable, fresh) -> None:
    spec = DagSpec("d", "3.11", tasks(load=PYTHON), environment={variable: "1"})
    watch = FakeStopwatch({"dag": TIMINGS}, {"dag": [DAG]})
    check(subject(tmp_path, "{import_ms: 1000}", spec), watch)
    assert {probe.fresh_interpreter for probe in watch.starts} == {fresh}


def test_a_bash_task_that_asks_a_function_for_its_command_imports_its_module() -> None:
    (task,) = tasks(say=BashAction(python=PythonAction("steps", "command")))
    assert module_of(task) == "steps"
