"""Which run of a DAG comes next, by its schedule. Pure: reads no clock and makes no run.

The rules are Airflow 3's: without catchup only the latest missed run is made, and unless data
intervals are asked for, a run's interval is the instant at which it is due.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import pairwise
from typing import NamedTuple

from leoflow_agent.spec import DagSpec, Schedule

from leoflow_controlplane.timetable.grid import Grid, make_grid

# Where arithmetic on dates has room on both sides.
YEARS = range(1900, 9000)


class Interval(NamedTuple):
    """The data interval of a run, in UTC."""

    start: datetime
    end: datetime


class Due(NamedTuple):
    """A run that is to be made at ``run_after``. Its logical date is its interval's start."""

    interval: Interval
    run_after: datetime

    @property
    def logical_date(self) -> datetime:
        """The name that the run has in time."""
        return self.interval.start


class Timetable:
    """When a DAG's runs are due.

    ``intervals``: cron and interval schedules cover the time between two instants and are due at
    its end, as in Airflow 2; otherwise they are due at their instant. ``since``: when the DAG came
    to have this schedule. Without a start_date its first run is the first after that, however
    late one looks; None: it has it only now.
    """

    def __init__(
        self, spec: DagSpec, *, intervals: bool = False, since: datetime | None = None
    ) -> None:
        self._schedule = spec.schedule
        self._catchup = spec.catchup
        self._earliest = read_date(spec.start_date)
        self._latest = read_date(spec.end_date)
        self._intervals = intervals
        self._since = since
        self._grid = _grid_of(spec, self._earliest)

    def next(self, last: Interval | None, now: datetime) -> Due | None:
        """Give the run after ``last`` (None: there was none), due now or later; None if the
        schedule has no more."""
        if self._schedule is None:
            return None
        due = self._find(self._schedule, last, now)
        if due is None or (self._latest is not None and due.logical_date > self._latest):
            return None
        return due

    def between(self, first: datetime, last: datetime) -> Iterator[Due]:
        """Give all runs whose logical date is from ``first`` to ``last``, for a backfill.

        Nothing for schedules without a grid (@once, @continuous, none).
        """
        if self._grid is None:
            return
        for start, end in pairwise(self._grid.walk(first)):
            if start > last:
                return
            interval = Interval(start, end) if self._intervals else Interval(start, start)
            yield Due(interval, interval.end)

    def _find(self, schedule: Schedule, last: Interval | None, now: datetime) -> Due | None:
        if schedule.kind == "once":
            return None if last else _instant(self._earliest or now)
        if schedule.kind == "continuous":
            return self._continue(last, now)
        assert self._grid is not None
        return self._due(self._grid, self._next_start(self._grid, last, now))

    def _continue(self, last: Interval | None, now: datetime) -> Due:
        start = last.end if last else self._earliest or now
        if last is not None and last.start == last.end:
            # No two runs have one logical date, whatever the clock says.
            start = last.end + datetime.resolution
        if self._earliest is not None:
            start = max(start, self._earliest)
        return Due(Interval(start, max(start, now)), max(start, now))

    def _next_start(self, grid: Grid, last: Interval | None, now: datetime) -> datetime:
        follower = None if last is None else self._follower(grid, last)
        first = None if self._earliest is None else grid.first_from(self._earliest)
        if self._catchup:
            return follower or first or self._first_run(grid, now)
        candidates = [self._latest_missed(grid, now), follower, first]
        if last is None and self._earliest is None:
            candidates.append(self._first_run(grid, now))
        return max(at for at in candidates if at is not None)

    def _follower(self, grid: Grid, last: Interval) -> datetime:
        return grid.first_from(last.end) if self._intervals else grid.next_after(last.end)

    def _latest_missed(self, grid: Grid, now: datetime) -> datetime:
        """Give the start of the last run that is due by now."""
        latest = grid.last_until(now)
        if not self._intervals:
            return latest
        # Its interval has to be over.
        return grid.last_until(latest - datetime.resolution)

    def _first_run(self, grid: Grid, now: datetime) -> datetime:
        """Give the first start of a DAG that says no start_date: nothing before is missed."""
        since = now if self._since is None else min(self._since, now)
        return grid.last_until(since) if self._intervals else grid.first_from(since)

    def _due(self, grid: Grid, start: datetime) -> Due:
        if not self._intervals:
            return _instant(start)
        end = grid.next_after(start)
        return Due(Interval(start, end), end)


def read_date(text: str | None) -> datetime | None:
    """Read an instant as specs have it: ISO 8601 with an offset."""
    return None if text is None else datetime.fromisoformat(text).astimezone(UTC)


def _grid_of(spec: DagSpec, earliest: datetime | None) -> Grid | None:
    if spec.schedule is None or spec.schedule.kind not in ("cron", "interval"):
        return None
    return make_grid(spec.schedule, spec.timezone, earliest)


def _instant(at: datetime) -> Due:
    return Due(Interval(at, at), at)
