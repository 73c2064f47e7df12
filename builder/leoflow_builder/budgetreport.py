"""What came out of holding an image to its budget, as values. Computes and prints nothing."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from leoflow_agent.spec import Resources

from leoflow_builder.importsource import ProjectCode
from leoflow_builder.importtime import Import
from leoflow_builder.stopwatch import Timing

FigureName = Literal["compressed_mb", "import_ms", "user_code_ms"]


@dataclass(frozen=True)
class Spread:
    """Several measurements of the same, in milliseconds."""

    minimum: float
    median: float


@dataclass(frozen=True)
class Measured:
    """What tasks of one module under the same resources cost to start.

    ``imports`` are of the fastest of several runs of their own, which tracing makes slower.
    """

    task_ids: tuple[str, ...]
    module: str
    resources: Resources
    timings: tuple[Timing, ...]
    imports: tuple[Import, ...]

    @property
    def start_ms(self) -> Spread:
        """From the container's start until the agent begins to import."""
        return _spread(one.start_ms for one in self.timings)

    @property
    def import_ms(self) -> Spread:
        """To import the module."""
        return _spread(one.import_ms for one in self.timings)

    @property
    def user_code_ms(self) -> Spread:
        """From the container's start to the first line of user code."""
        return _spread(one.user_code_ms for one in self.timings)


@dataclass(frozen=True)
class Excess:
    """A figure over its limit. ``place`` is where the limit is written, ``task_ids`` are empty if
    the figure is the image's."""

    figure: FigureName
    value: float
    limit: float
    culprit: str
    place: str
    task_ids: tuple[str, ...] = ()

    def __str__(self) -> str:
        unit = "MB" if self.figure == "compressed_mb" else "ms"
        whose = f" for {name_tasks(self.task_ids)}" if self.task_ids else ""
        figures = f"is {self.value:.1f} {unit}, the budget is {self.limit:g}"
        return f"{self.place}: {self.figure}{whose} {figures}: {self.culprit}"


@dataclass(frozen=True)
class BudgetReport:
    """What was measured and what is over budget. ``notes`` say what could not be or need not be."""

    limits: dict[FigureName, float]
    compressed_mb: float | None
    measured: tuple[Measured, ...]
    excesses: tuple[Excess, ...]
    notes: tuple[str, ...]
    code: ProjectCode

    def exceeds(self, figure: FigureName, task_ids: tuple[str, ...] = ()) -> bool:
        """Tell whether a figure of these tasks, or of the image, is over its limit."""
        return any((one.figure, one.task_ids) == (figure, task_ids) for one in self.excesses)

    @property
    def kept(self) -> bool:
        """Whether nothing that could be checked is over its limit."""
        return not self.excesses

    def as_json(self) -> dict[str, Any]:
        """Return the part of `leoflow build --json` about the budget."""
        return {
            "kept": self.kept,
            "limits": dict(self.limits),
            "compressed_mb": self.compressed_mb,
            "tasks": [_as_document(one) for one in self.measured],
            "exceeded": [
                {
                    "figure": one.figure,
                    "value": round(one.value, 3),
                    "limit": one.limit,
                    "task_ids": list(one.task_ids),
                    "culprit": one.culprit,
                }
                for one in self.excesses
            ],
            "notes": list(self.notes),
        }


def _spread(values: Iterable[float]) -> Spread:
    known = list(values)
    return Spread(min(known), statistics.median(known))


def name_tasks(task_ids: Sequence[str]) -> str:
    """Return "task 'a'", "tasks 'a', 'b'" or the first three and how many more."""
    noun = "task" if len(task_ids) == 1 else "tasks"
    names = ", ".join(f"'{task_id}'" for task_id in task_ids[:3])
    more = len(task_ids) - 3
    return f"{noun} {names}" + (f" and {more} more" if more > 0 else "")


def _as_document(one: Measured) -> dict[str, Any]:
    def figures(spread: Spread) -> dict[str, float]:
        return {"min": round(spread.minimum, 1), "median": round(spread.median, 1)}

    return {
        "task_ids": list(one.task_ids),
        "module": one.module,
        "runs": len(one.timings),
        "start_ms": figures(one.start_ms),
        "import_ms": figures(one.import_ms),
        "user_code_ms": figures(one.user_code_ms),
    }
