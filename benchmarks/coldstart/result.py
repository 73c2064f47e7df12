"""Turns what was measured into the document that is kept: figures, ratios, raw values. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

from benchmarks.build.figure import Figures, figures_of
from benchmarks.coldstart.round import Outcome, Sample

SCHEMA_VERSION = 1

Known = Mapping[str, Mapping[str, Figures]]


class Ratio(NamedTuple):
    """One measure of a scenario over that of another; ``floor`` is taken off both before."""

    name: str
    above: tuple[str, str]
    below: tuple[str, str]
    floor: tuple[str, str] | None = None


LINE, CPU, EARLY = "first_line", "cpu", "cpu_before_user_code"
STATIC, BARE = ("static", CPU), ("bare_line", EARLY)
RATIOS = (
    Ratio("first line: no-op task / bare", ("noop", LINE), ("bare_line", LINE)),
    Ratio("CPU of the container: no-op task / bare", ("noop", CPU), ("bare", CPU)),
    Ratio("the same, less a static program's", ("noop", CPU), ("bare", CPU), STATIC),
    Ratio("CPU before user code: no-op task / bare", ("noop", EARLY), BARE),
    Ratio("CPU before user code: naive agent / agent", ("naive", EARLY), ("noop", EARLY)),
    Ratio("the same, above bare", ("naive", EARLY), ("noop", EARLY), BARE),
    Ratio("CPU before user code: Airflow / agent", ("airflow", EARLY), ("noop", EARLY)),
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
    """Return each ratio of medians of which both sides are known."""
    found = []
    for ratio in wanted:
        above, below = _median(known, ratio.above), _median(known, ratio.below)
        floor = _median(known, ratio.floor) if ratio.floor else 0.0
        if above is None or below is None or floor is None or below - floor <= 0:
            continue
        found.append(
            {
                "what": ratio.name,
                "of": ".".join(ratio.above),
                "to": ".".join(ratio.below),
                "less": ".".join(ratio.floor) if ratio.floor else None,
                "ms": [round(above - floor, 3), round(below - floor, 3)],
                "ratio": round((above - floor) / (below - floor), 3),
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


def _median(known: Known, place: tuple[str, str]) -> float | None:
    scenario, measure = place
    found = known.get(scenario, {}).get(measure)
    return None if found is None else found.median
