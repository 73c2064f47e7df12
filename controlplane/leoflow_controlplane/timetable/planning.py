"""Which runs are to be made now: for a DAG's schedule, and for a backfill. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, NamedTuple

from leoflow_controlplane.command import ReprocessBehavior
from leoflow_controlplane.model import RunState
from leoflow_controlplane.timetable.timetable import Due, Interval, Timetable

# More are made in steps of their own, so that nobody waits for a long catchup.
MOST_AT_ONCE = 50


class SchedulePlan(NamedTuple):
    """What a look at a schedule came to.

    ``last`` is the interval of the newest run, ``next_at`` when to look again. None: only when one
    of the runs has ended, the DAG changes, or never.
    """

    runs: tuple[Due, ...]
    last: Interval | None
    next_at: datetime | None


def plan_runs(
    timetable: Timetable, last: Interval | None, free: int, now: datetime
) -> SchedulePlan:
    """Say which runs are due; at most ``free`` of them, which is what max_active_runs leaves."""
    runs: list[Due] = []
    while len(runs) < free:
        due = timetable.next(last, now)
        if due is None:
            return SchedulePlan(tuple(runs), last, None)
        if due.run_after > now or len(runs) == MOST_AT_ONCE:
            return SchedulePlan(tuple(runs), last, max(due.run_after, now))
        runs.append(due)
        last = due.interval
    return SchedulePlan(tuple(runs), last, None)


class Known(NamedTuple):
    """A run that exists already for a logical date."""

    run_id: str
    state: RunState


class BackfillRun(NamedTuple):
    """What a backfill does for a date: make a run, clear the one that is there, or nothing."""

    due: Due
    action: Literal["create", "clear", "skip"]
    run_id: str | None = None


def plan_backfill(
    timetable: Timetable,
    dates: tuple[datetime, datetime],
    known: Mapping[datetime, Known],
    behavior: ReprocessBehavior,
    *,
    backwards: bool = False,
) -> list[BackfillRun]:
    """List what a backfill from the first of ``dates`` to the second does, in its order.

    ``behavior`` is Airflow's: "none" leaves runs that exist alone, "failed" clears the failed ones,
    "completed" all that are over.
    """
    plan = [
        _decide(due, known.get(due.logical_date), behavior) for due in timetable.between(*dates)
    ]
    return plan[::-1] if backwards else plan


def _decide(due: Due, known: Known | None, behavior: ReprocessBehavior) -> BackfillRun:
    if known is None:
        return BackfillRun(due, "create")
    again = {"none": (), "failed": ("failed",), "completed": ("failed", "success")}[behavior]
    return BackfillRun(due, "clear" if known.state in again else "skip", known.run_id)
