"""The pure parts of benchmarks/coldstart: what is chosen, computed and written."""

import platform
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from leoflow_agent.action import BashAction, PythonAction
from leoflow_agent.spec import DagSpec, Quantities, Resources, Source, TaskSpec

from benchmarks.build.process import BenchError
from benchmarks.coldstart import chart, container, page, product, result, table
from benchmarks.coldstart.cpumeter import CpuMeter
from benchmarks.coldstart.image import PROGRAMS, static_program
from benchmarks.coldstart.line import PRINT_LINE, Line, read_line
from benchmarks.coldstart.option import QUICK_ROUNDS, parse
from benchmarks.coldstart.round import Outcome, Scenario
from benchmarks.coldstart.scenario import SCENARIOS, chosen

MACHINE = {
    "cores": 2,
    "architecture": "x86_64",
    "kernel": "6.1",
    "engine": "26.1",
    "runtime": "runc 1.1",
    "storage_driver": "overlayfs",
    "image_store": "containerd",
    "load_average": [0.5, 0.4, 0.3],
}


async def _never(stage: Any) -> dict[str, float]:
    raise AssertionError("nothing is measured here")


def _outcome(name: str, *totals: float, group: str = "standard", **measures: float) -> Outcome:
    scenario = Scenario(name, f"title of {name}", (), _never, group)
    return Outcome(scenario, [{"total": total, **measures} for total in totals])


def _document(*outcomes: Outcome) -> dict[str, Any]:
    return result.document(outcomes, "python -m x", "abc", MACHINE, seed=1)


def _task(action: PythonAction | BashAction) -> DagSpec:
    resources = Resources(Quantities(100, 1))
    return DagSpec("d", "3.11", (TaskSpec("clock", action, resources, Source("dag.py", 1)),))


@pytest.mark.skipif(platform.machine() not in PROGRAMS, reason="no program for this machine")
def test_the_static_program_runs_and_does_nothing(tmp_path: Path) -> None:
    program = tmp_path / "noop"
    program.write_bytes(static_program(platform.machine()))
    program.chmod(0o755)
    done = subprocess.run([program], capture_output=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_a_machine_without_a_static_program_is_named() -> None:
    with pytest.raises(BenchError, match="'vax'"):
        static_program("vax")


def test_the_line_that_is_printed_is_the_line_that_is_read() -> None:
    """The bare interpreter prints what the no-op task prints."""
    # Outside of a container others come and go while they are counted.
    program = PRINT_LINE.replace("posix.listdir('/proc')", "[str(posix.getpid())]")
    command = [sys.executable, "-I", "-S", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    line = read_line(done.stdout)
    assert line is not None
    assert abs(line.clock - time.time()) < 60
    assert 0 < line.cpu_seconds < 10


@pytest.mark.parametrize(
    ("output", "line"),
    [
        ("1764107975.25 0.0625\n", Line(1764107975.25, 0.0625)),
        ("2026-01-01 [info] 1764107975.25 2.5 [task.stdout]", Line(1764107975.25, 2.5)),
        ("2.2.3\n", None),
        ("", None),
    ],
)
def test_the_first_line_is_found_among_others(output: str, line: Line | None) -> None:
    assert read_line(output) == line


def test_a_container_is_told_in_milliseconds_by_phase() -> None:
    watch = container.Watch(1000.0, 1000.5, 1001.0, 1001.25, 1001.5)
    assert container.measures(watch, "") == {
        "create": 500.0,
        "start": 500.0,
        "run": 250.0,
        "end": 250.0,
        "total": 1500.0,
    }


def test_the_first_line_counts_from_the_start_of_the_container() -> None:
    clock = 1764107975.0
    watch = container.Watch(clock - 3, clock - 2, clock - 1, clock + 1, clock + 1)
    found = container.measures(watch, f"{clock} 0.5")
    assert (found["first_line"], found["cpu_before_user_code"]) == (1000.0, 500.0)


def test_each_step_counts_from_the_one_before() -> None:
    instants = {"left": 10.0, "report": 10.25, "commit": 10.75}
    assert product.steps(instants) == {"report": 250.0, "commit": 500.0}


def test_copies_of_a_task_call_the_same_function() -> None:
    copied = product.copies(_task(PythonAction("dag")), 3)
    assert [task.task_id for task in copied.tasks] == ["task_0", "task_1", "task_2"]
    assert {getattr(task.action, "function", None) for task in copied.tasks} == {"clock"}


def test_only_a_python_task_is_copied() -> None:
    with pytest.raises(BenchError, match="'clock'"):
        product.copies(_task(BashAction("true")), 2)


def test_names_of_scenarios_are_all_different() -> None:
    names = [one.name for one in SCENARIOS]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("arguments", "there", "not_there"),
    [
        ([], ["noop", "at_once_50"], ["airflow", "set_nothing"]),
        (["--quick"], ["noop"], ["at_once_50", "airflow", "set_nothing"]),
        (["--with-airflow"], ["noop", "airflow"], ["set_nothing"]),
        (["--settings"], ["noop", "set_nothing"], ["airflow"]),
        (["--only", "edge, airflow"], ["edge", "airflow"], ["noop"]),
    ],
)
def test_what_is_asked_for_is_measured(
    arguments: list[str], there: list[str], not_there: list[str]
) -> None:
    options = parse(arguments, [one.name for one in SCENARIOS], None)
    names = {one.name for one in chosen(options.only, options.groups)}
    assert set(there) <= names
    assert not names & set(not_there)


def test_a_quick_look_has_few_rounds_unless_told() -> None:
    assert parse(["--quick"], [], None).rounds == QUICK_ROUNDS
    assert parse(["--quick", "--rounds", "7"], [], None).rounds == 7


@pytest.mark.parametrize(
    "arguments",
    [
        ["--only", "noop,nope"],
        ["--only", ","],
        ["--rounds", "0"],
        ["--rounds", "many"],
        ["--write-readme", "--only", "noop"],
    ],
)
def test_what_cannot_be_measured_is_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as left:
        parse(arguments, ["noop"], None)
    assert left.value.code == 2


def test_a_floor_is_taken_off_both_sides_of_a_ratio() -> None:
    cpu = {"noop": 50.0, "bare": 40.0, "static": 30.0}
    known = result.figures([_outcome(name, 1, cpu=one) for name, one in cpu.items()])
    wanted = result.Ratio("r", ("noop", "cpu"), ("bare", "cpu"), ("static", "cpu"))
    (found,) = result.ratios(known, [wanted])
    assert (found["median"], found["min"], found["median_ms"]) == (2.0, 2.0, [20.0, 10.0])


@pytest.mark.parametrize("floor", [("nobody", "cpu"), ("bare", "cpu")])
def test_a_ratio_to_what_is_not_known_or_nothing_is_left_out(floor: tuple[str, str]) -> None:
    known = result.figures([_outcome("noop", 1, cpu=50.0), _outcome("bare", 1, cpu=40.0)])
    wanted = result.Ratio("r", ("noop", "cpu"), ("bare", "cpu"), floor)
    assert result.ratios(known, [wanted]) == []


def test_a_clock_that_disagrees_leaves_the_ratio_of_medians() -> None:
    """The engine may note a start after the container's own first line."""
    early = Outcome(Scenario("bare", "", (), _never), [{"x": -1.0}, {"x": 2.0}, {"x": 4.0}])
    late = Outcome(Scenario("noop", "", (), _never), [{"x": 4.0}])
    known = result.figures([early, late])
    (found,) = result.ratios(known, [result.Ratio("r", ("noop", "x"), ("bare", "x"))])
    assert (found["median"], found["min"]) == (2.0, None)
    assert "| r | 2.00 |  | 4.0 / 2.0 |" in table.ratio_table({"ratios": [found]})


def test_the_document_keeps_every_single_value() -> None:
    found = _document(_outcome("noop", 3.0, 1.0, 2.0))
    assert found["schema_version"] == result.SCHEMA_VERSION
    assert found["scenarios"]["noop"]["raw"] == {"total": [3.0, 1.0, 2.0]}
    figures = found["scenarios"]["noop"]["figures"]["total"]
    assert figures == {"n": 3, "median": 2.0, "p95": 3.0, "min": 1.0}


def test_what_could_not_be_measured_is_in_the_table_with_its_reason() -> None:
    outcome = Outcome(Scenario("noop", "a task", (), _never), fault="the engine is gone")
    assert "| a task | | | | 0 | the engine is gone | |" in table.tables(_document(outcome))


def test_a_setting_is_compared_with_what_tries_have_round_by_round() -> None:
    phases = {"create": 1.0, "start": 2.0}
    found = _document(
        _outcome("set_nothing", 200.0, 100.0, 350.0, group="settings", **phases),
        _outcome("set_log_none", 150.0, 90.0, 300.0, group="settings", **phases),
    )
    assert table.setting_table(found).splitlines()[-1] == (
        "| title of set_log_none | 1.0 | 2.0 | 150 | 300 | 3 | -50 |"
    )
    assert table.scenario_table(found) == ""


def test_an_edge_is_told_step_by_step() -> None:
    steps = dict.fromkeys(table.STEPS, 1.5)
    found = _document(_outcome("edge", 20.0, to_create_request=7.5, **steps))
    lines = table.edge_table(found).splitlines()
    assert len(lines) == 2 + len(table.STEPS) + 2
    assert "| **all until the engine is asked** | 7.5 | 7.5 | 7.5 |" in lines


def test_tables_replace_what_is_between_their_marks_and_nothing_else() -> None:
    text = "a\n<!-- x -->\nold\n<!-- end of x -->\nb\n"
    written = page.replace_block(text, "x", "new")
    assert written == "a\n<!-- x -->\nnew\n<!-- end of x -->\nb\n"
    assert page.replace_block(written, "x", "new") == written
    assert page.replace_block(text, "y", "new") is None


def test_the_pages_have_the_marks_that_are_written_between(tmp_path: Path) -> None:
    """So that what takes half an hour does not fail at its end."""
    phases = {"create": 1.0, "start": 2.0, "run": 1.0, "end": 1.0}
    steps = {**dict.fromkeys(table.STEPS, 1.0), "to_create_request": 5.0}
    found = _document(
        _outcome("bare", 5.0, **phases),
        _outcome("edge", 9.0, **steps),
        _outcome("set_nothing", 5.0, group="settings", **phases),
    )
    pages = ("README.md", "docs/benchmarks.md", page.DECISION)
    for name in pages:
        copy = tmp_path / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes((page.ROOT / name).read_bytes())
    page.write_pages(found, tmp_path)
    for name in pages:
        assert "`python -m x`, commit abc" in (tmp_path / name).read_text()
    assert (tmp_path / page.PICTURE).exists()


def test_the_picture_is_svg_and_no_bar_leaves_it() -> None:
    phases = {"queue": 0.0, "create": 90.0, "start": 300.0, "agent": 6.0, "import": 1.0}
    found = _document(_outcome("noop", 400.0, **phases, run=0.5, report=4.0, end=30.0))
    svg = chart.draw(found, {"noop": "a <task>", "nobody": "never measured"})
    root = ElementTree.fromstring(svg)
    width = float(root.attrib["width"])
    bars = [one for one in root.iter() if one.tag.endswith("rect") and "fill" in one.attrib]
    assert all(float(one.attrib["x"]) + float(one.attrib["width"]) <= width for one in bars)
    texts = [one.text for one in root.iter() if one.tag.endswith("text")]
    assert "a <task>" in texts
    assert "never measured" not in texts
    # The end of a container comes after the verdict, and is no part of a task's way.
    assert "402 ms" in texts


def test_a_heavy_import_is_no_part_of_the_inside() -> None:
    phases = {"create": 1.0, "start": 1.0, "agent": 6.0, "run": 0.5, "report": 4.0}
    found = _document(
        _outcome("noop", 9.0, **phases, **{"import": 1.0}),
        _outcome("pandas", 900.0, **phases, **{"import": 900.0}),
    )
    svg = chart.draw(found, {"noop": "no-op", "pandas": "heavy"})
    assert (svg.count(">no-op</text>"), svg.count(">heavy</text>")) == (2, 1)


@pytest.mark.parametrize(
    ("value", "end"), [(0.3, 0.32), (1, 1), (7, 8), (9, 10), (11, 12), (250, 320), (601, 800)]
)
def test_a_scale_ends_where_its_quarters_are_short_numbers(value: float, end: float) -> None:
    assert chart.round_up(value) == pytest.approx(end)


@pytest.mark.parametrize(
    ("root", "file", "text"),
    [
        ("cpuacct", "cpuacct.usage", "12500000\n"),
        ("cpu,cpuacct", "cpuacct.usage", "12500000\n"),
        ("", "cpu.stat", "usage_usec 12500\nuser_usec 1\n"),
    ],
)
def test_the_group_around_a_container_tells_its_cpu(
    tmp_path: Path, root: str, file: str, text: str
) -> None:
    meter = CpuMeter("run", cgroups=tmp_path)
    parent = meter.parent("box")
    assert parent is not None
    folder = tmp_path / root / parent.lstrip("/")
    folder.mkdir(parents=True)
    (folder / file).write_text(text)
    assert meter.cpu_ms("box") == 12.5
    assert meter.cpu_ms("another") is None


def test_groups_are_removed_in_every_hierarchy(tmp_path: Path) -> None:
    meter = CpuMeter("run", cgroups=tmp_path)
    for root in ("cpuacct", "memory", "."):
        (tmp_path / root / "leoflow-bench-run" / "box").mkdir(parents=True)
    (tmp_path / "memory" / "of-another").mkdir()
    meter.close()
    left = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*"))
    assert left == ["cpuacct", "memory", "memory/of-another"]


def test_where_cpu_cannot_be_read_no_group_is_asked_for() -> None:
    meter = CpuMeter("run", "the engine is not on this machine")
    assert (meter.parent("box"), meter.cpu_ms("box")) == (None, None)
