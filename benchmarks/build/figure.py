"""Turns measured seconds into figures: median, p95, minimum, ratios; as values and as a table.

Pure. It judges nothing.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Figures:
    """Seconds of one contender in one scenario, by the wall clock."""

    rounds: int
    median: float
    p95: float
    min: float


@dataclass(frozen=True)
class Trial:
    """One scenario with one target: measured seconds by contender, and who did not take part."""

    scenario: str
    target: str
    seconds: Mapping[str, Sequence[float]]
    left_out: Mapping[str, str]

    def as_document(self) -> dict[str, Any]:
        """Return figures, every ratio of leoflow to a rival, and the raw seconds."""
        figures = {name: figures_of(one) for name, one in self.seconds.items() if one}
        return {
            "scenario": self.scenario,
            "target": self.target,
            "seconds": {name: asdict(one) for name, one in figures.items()},
            "ratios": ratios(figures),
            "left_out": dict(self.left_out),
            "raw": {name: list(one) for name, one in self.seconds.items()},
        }


def figures_of(seconds: Sequence[float]) -> Figures:
    """Return the figures of at least one measurement; p95 is the nearest rank."""
    ranked = sorted(seconds)
    nearest = min(len(ranked) - 1, max(0, -(-95 * len(ranked) // 100) - 1))
    return Figures(len(ranked), statistics.median(ranked), ranked[nearest], ranked[0])


def ratios(figures: Mapping[str, Figures]) -> dict[str, dict[str, float]]:
    """Return median over median and min over min of each leoflow to each rival.

    Who makes a lock is compared with who makes one, and else with who does not.
    """
    found = {}
    for ours in (name for name in figures if name.startswith("leoflow")):
        for rival in (name for name in figures if not name.startswith("leoflow")):
            if ours.endswith("+lock") == rival.endswith("+lock"):
                median = figures[ours].median / figures[rival].median
                least = figures[ours].min / figures[rival].min
                found[f"{ours} / {rival}"] = {"median": round(median, 3), "min": round(least, 3)}
    return found


def table(trials: Sequence[Trial]) -> str:
    """Return a table in Markdown: one line per contender, and its ratio to each rival."""
    lines = [
        "| scenario | target | who | rounds | median s | p95 s | min s | median by the rival's |",
        "|---|---|---|--:|--:|--:|--:|---|",
    ]
    for trial in trials:
        document = trial.as_document()
        for name, one in document["seconds"].items():
            compared = [
                f"{pair.partition(' / ')[2]} {ratio['median']:.2f}"
                for pair, ratio in document["ratios"].items()
                if pair.startswith(f"{name} / ")
            ]
            lines.append(
                f"| {trial.scenario} | {trial.target} | {name} | {one['rounds']} "
                f"| {one['median']:.2f} | {one['p95']:.2f} | {one['min']:.2f} "
                f"| {', '.join(compared)} |"
            )
        for name, reason in trial.left_out.items():
            lines.append(f"| {trial.scenario} | {trial.target} | {name} | - | | | | {reason} |")
    return "\n".join(lines)
