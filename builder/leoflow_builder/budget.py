"""Holds a built image to the budget in leoflow.yaml, and names what breaks it.

Measuring is ``stopwatch``'s; this module only asks, compares and explains.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from leoflow_agent.action import HttpAction, PythonAction
from leoflow_agent.spec import DagSpec, Resources, TaskSpec

from leoflow_builder.budgetreport import (
    BudgetReport,
    Excess,
    FigureName,
    Measured,
    name_tasks,
)
from leoflow_builder.culprit import blame_import, blame_layer, blame_start
from leoflow_builder.importsource import ProjectCode
from leoflow_builder.importtime import parse_importtime
from leoflow_builder.layerreport import LayerReport
from leoflow_builder.packagesize import package_sizes
from leoflow_builder.problem import count
from leoflow_builder.project import SETTINGS_FILE, Project
from leoflow_builder.stopwatch import Probe, Stopwatch

Say = Callable[[str], None]
RUNS = 5
TRACES = 3
MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Subject:
    """A built image and what is known about it. ``site`` is the folder of its packages on this
    host, None without any; ``compressed_bytes`` None: the engine does not tell it."""

    project: Project
    spec: DagSpec
    image: str
    compressed_bytes: int | None
    layers: Sequence[LayerReport]
    site: Path | None = None


def needs_start(project: Project) -> bool:
    """Tell whether containers have to be started to hold a project to its budget."""
    limits = _limits(project)
    return not limits or bool(limits.keys() & {"import_ms", "user_code_ms"})


def check_budget(
    subject: Subject, stopwatch: Stopwatch | None, say: Say, runs: int = RUNS
) -> BudgetReport:
    """Measure an image and hold it to the budget of its project, medians against limits.

    ``stopwatch`` may be None for a project that ``needs_start`` says no of. Without any limit
    everything is measured and nothing judged. MeasureError or EngineError if a task cannot be
    measured.
    """
    limits = _limits(subject.project)
    code = ProjectCode(subject.project.folder)
    notes = list(_notes(subject, limits))
    measured: tuple[Measured, ...] = ()
    if stopwatch is not None and needs_start(subject.project):
        measured = tuple(_measure(one, stopwatch, say, runs) for one in _groups(subject.spec))
        notes += _unmeasured(subject.spec)
    size = subject.compressed_bytes
    compressed_mb = None if size is None else size / MEGABYTE
    excesses = [*_judge_size(subject, limits, compressed_mb)]
    for one in measured:
        excesses += _judge_start(subject, limits, one, code)
    return BudgetReport(limits, compressed_mb, measured, tuple(excesses), tuple(notes), code)


def _limits(project: Project) -> dict[FigureName, float]:
    budget = project.settings.budget
    limits: dict[FigureName, float | None] = {
        "compressed_mb": budget.compressed_mb,
        "import_ms": budget.import_ms,
        "user_code_ms": budget.user_code_ms,
    }
    return {name: limit for name, limit in limits.items() if limit is not None}


def _notes(subject: Subject, limits: dict[FigureName, float]) -> Iterator[str]:
    if not limits:
        yield f"{SETTINGS_FILE} has no budget, so nothing was judged"
    if "compressed_mb" in limits and subject.compressed_bytes is None:
        yield "compressed_mb could not be checked: the engine keeps no compressed layers"


def _groups(spec: DagSpec) -> list[tuple[Probe, tuple[str, ...]]]:
    """Return what there is to measure: tasks with the same module and resources cost the same."""
    fresh = any(name.startswith("PYTHON") for name in spec.environment)
    tasks: dict[tuple[str, Resources], list[str]] = {}
    for task in spec.tasks:
        module = module_of(task)
        if module is not None:
            tasks.setdefault((module, task.resources), []).append(task.task_id)
    return [
        (Probe(task_ids[0], module, resources, fresh), tuple(task_ids))
        for (module, resources), task_ids in tasks.items()
    ]


def module_of(task: TaskSpec) -> str | None:
    """Return the module that a task's container imports, None if it imports none."""
    action = task.action
    if isinstance(action, HttpAction):
        return None
    call = action if isinstance(action, PythonAction) else action.python
    return None if call is None else call.module


def _unmeasured(spec: DagSpec) -> Iterator[str]:
    without = [task.task_id for task in spec.tasks if module_of(task) is None]
    if without:
        verb = "imports" if len(without) == 1 else "import"
        yield f"{name_tasks(without)} {verb} no module, as bash and HTTP tasks do not: not measured"


def _measure(
    group: tuple[Probe, tuple[str, ...]], stopwatch: Stopwatch, say: Say, runs: int
) -> Measured:
    probe, task_ids = group
    say(f"measuring the start of {name_tasks(task_ids)}: {count(1 + runs + TRACES, 'container')}")
    stopwatch.time_start(probe)  # the first one reads the image from the disk
    timings = tuple(stopwatch.time_start(probe) for _ in range(runs))
    traces = [parse_importtime(stopwatch.trace_imports(probe)) for _ in range(TRACES)]
    # What else the machine did makes a trace longer and never shorter.
    imports = min(traces, key=lambda roots: sum(node.cumulative_us for node in roots))
    return Measured(task_ids, probe.module, probe.resources, timings, imports)


def _judge_size(
    subject: Subject, limits: dict[FigureName, float], compressed_mb: float | None
) -> Iterator[Excess]:
    limit = limits.get("compressed_mb")
    if limit is None or compressed_mb is None or compressed_mb <= limit:
        return
    packages = package_sizes(subject.site) if subject.site is not None else []
    culprit = blame_layer(subject.layers, packages)
    yield Excess("compressed_mb", compressed_mb, limit, culprit, _place(subject, "compressed_mb"))


def _judge_start(
    subject: Subject, limits: dict[FigureName, float], one: Measured, code: ProjectCode
) -> Iterator[Excess]:
    blamed = blame_import(one.imports, one.module, code)
    quota = one.resources.limits.cpu_millis
    figures: tuple[tuple[FigureName, float, str], ...] = (
        ("import_ms", one.import_ms.median, blamed),
        (
            "user_code_ms",
            one.user_code_ms.median,
            blame_start(one.start_ms.median, one.import_ms.median, blamed, quota),
        ),
    )
    for figure, value, culprit in figures:
        limit = limits.get(figure)
        if limit is not None and value > limit:
            yield Excess(figure, value, limit, culprit, _place(subject, figure), one.task_ids)


def _place(subject: Subject, figure: FigureName) -> str:
    line = subject.project.line_of("budget", figure)
    return SETTINGS_FILE if line is None else f"{SETTINGS_FILE}:{line}"
