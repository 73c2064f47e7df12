"""Where the time of a try went, named after what was waited for. Computes only, records nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping

from leoflow_controlplane.model import Phase

_WAITS: tuple[tuple[str, Phase], ...] = (
    ("queue", "dispatched"),
    ("create", "created"),
    ("place", "placed"),
    ("start", "started"),
    ("agent", "import_started"),
    ("import", "entered"),
    ("run", "left"),
    ("report", "reported"),
)

# More than this outside of what this process saw itself, an instant is of a clock that is wrong.
CLOCKS_APART_SECONDS = 60.0


def timeline_ms(instants: Mapping[str, float]) -> dict[str, float]:
    """Turn instants (seconds since the epoch, by phase) into waits in milliseconds.

    Each wait counts from the latest earlier phase that is known, so that an unknown one is not
    lost but belongs to the next. A wait below zero is only the disagreement of two clocks, and
    is told as 0; an instant long before or after all that happened here is not known. ``total``
    is scheduled to reported, and is there when both are known.
    """
    waits: dict[str, float] = {}
    since = instants.get("scheduled")
    earliest = instants.get("scheduled", -math.inf) - CLOCKS_APART_SECONDS
    latest = instants.get("reported", math.inf) + CLOCKS_APART_SECONDS
    for name, phase in _WAITS:
        until = instants.get(phase)
        if until is None or not earliest <= until <= latest:
            continue
        if since is not None:
            waits[name] = _milliseconds(since, until)
        since = until
    if "scheduled" in instants and "reported" in instants:
        waits["total"] = _milliseconds(instants["scheduled"], instants["reported"])
    return waits


def _milliseconds(since: float, until: float) -> float:
    return round(max(0.0, until - since) * 1000, 3)
