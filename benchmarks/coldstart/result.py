"""Turns what was measured into the document that is kept: figures, ratios, raw values. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

from benchmarks.build.figure import Figures, figures_of
from benchmarks.coldstart.round import Outcome
from benchmarks.coldstart.stage import Sample

SCHEMA_VERSION = 1

Known = Mapping[str, Mapping[str, Figures]]


class Ratio(NamedTuple):
    """One measure of a scenario over that of another; ``floor`` is taken off both before."""

    name: str
    above: tuple[str, str]
    below: tuple[str, str]
    floor: tuple[str, str] | None = None


LINE, CPU, EARLY = "first_line", "cpu", "cpu_before_user_code"
# The runtime's own first steps are in every container's CPU; a static program's has little else.
STATIC, BARE = ("static", CPU), ("bare_line", EARLY)
RATIOS = (
    Ratio("first line: no-op task / bare", ("noop", LINE), ("bare_line", LINE)),
    Ratio("CPU of the container: no-op task / bare", ("noop", CPU), ("bare", CPU)),
    Ratio("the same, less a static program's", ("noop", CPU), ("bare", CPU), STATIC),
    Ratio("CPU before user code: no-op task / bare", ("noop", EARLY), BARE),
    Ratio("CPU before user code: naive agent / agent", ("naive", EARLY), ("noop", EARLY)),
    Ratio("the same, less a static program's", ("naive", EARLY), ("noop", EARLY), STATIC),
    Ratio("the same, above bare", ("naive", EARLY), ("noop", EARLY), BARE),
    Ratio("CPU before user code: Airflow / agent", ("airflow", EARLY), ("noop", EARLY)),
    Ratio("the same, less a static program's", ("airflow", EARLY), ("noop", EARLY), STATIC),
    Ratio("the same, above bare", ("airflow", EARLY), ("noop", EARLY), BARE),
)


def figures(outcomes: Sequence[Outcome]) -> dict[str, dict[str, Figures]]:
    """Return median, p95, minimum and number of each measure of each scenario that has any."""
    return {
        outcome.scenario.name: {
            measure: figures_of(values) for measure, values in raw(outcome.samples).items()
        }
        for outcome in outcomes
        if outcome.samples
    }


def raw(samples: Sequence[Sample]) -> dict[str, list[float]]:
    """Return all values by measure; a measure that a sample lacks is left out of it."""
    names = dict.fromkeys(name for sample in samples for name in sample)
    return {name: [one[name] for one in samples if name in one] for name in names}


def ratios(known: Known, wanted: Sequence[Ratio] = RATIOS) -> list[dict[str, Any]]:
    """Return each ratio, of medians and of minima, of which both sides are known.

    Noise only ever adds to CPU, so minima tell more where a small difference is compared.
    """
    found = []
    for ratio in wanted:
        medians = _both_sides(known, ratio, "median")
        minima = _both_sides(known, ratio, "min")
        if medians is None:
            continue
        found.append(
            {
                "what": ratio.name,
                "of": ".".join(ratio.above),
                "to": ".".join(ratio.below),
                "less": ".".join(ratio.floor) if ratio.floor else None,
                "median_ms": [round(one, 3) for one in medians],
                "median": round(medians[0] / medians[1], 3),
                "min": None if minima is None else round(minima[0] / minima[1], 3),
            }
        )
    return found


def document(
    outcomes: Sequence[Outcome], command: str, commit: str, machine: Mapping[str, Any], seed: int
) -> dict[str, Any]:
    """Return all that is kept of a measurement; every figure is in milliseconds."""
    known = figures(outcomes)
    return {
        "schema_version": SCHEMA_VERSION,
        "command": command,
        "commit": commit,
        "machine": dict(machine),
        "seed": seed,
        "ratios": ratios(known),
        "scenarios": {
            one.scenario.name: {
                "title": one.scenario.title,
                "group": one.scenario.group,
                "fault": one.fault,
                "figures": _rounded(known.get(one.scenario.name, {})),
                "raw": {
                    name: [round(value, 3) for value in values]
                    for name, values in raw(one.samples).items()
                },
            }
            for one in outcomes
        },
    }


def _rounded(known: Mapping[str, Figures]) -> dict[str, dict[str, float]]:
    return {
        measure: {
            "n": one.rounds,
            **{name: round(value, 3) for name, value in asdict(one).items() if name != "rounds"},
        }
        for measure, one in known.items()
    }


def _both_sides(known: Known, ratio: Ratio, figure: str) -> tuple[float, float] | None:
    """Return what is compared; None if a side is not known, or is all floor."""
    places = [ratio.above, ratio.below, *([ratio.floor] if ratio.floor else [])]
    found = [known.get(scenario, {}).get(measure) for scenario, measure in places]
    values = [getattr(one, figure) for one in found if one is not None]
    floor = values[2] if len(values) == 3 else 0.0
    if len(values) < len(places) or values[1] <= floor:
        return None
    return values[0] - floor, values[1] - floor
