"""The instants of a schedule, forwards and backwards, across time zones and daylight saving.

Knows nothing of runs. Instants are aware datetimes in UTC; cron's hours are those of the zone.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from cronsim import CronSim
from leoflow_agent.spec import Schedule

_MINUTE = timedelta(minutes=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Grid(Protocol):
    """Instants in order, without an end."""

    def first_from(self, instant: datetime) -> datetime:
        """Give the first instant at or after ``instant``."""

    def last_until(self, instant: datetime) -> datetime:
        """Give the last instant at or before ``instant``."""

    def next_after(self, instant: datetime) -> datetime:
        """Give the first instant after ``instant``."""

    def walk(self, instant: datetime) -> Iterator[datetime]:
        """Yield all instants at or after ``instant``: quicker than asking for each."""


class CronGrid:
    """The instants of a cron expression as Debian's cron sees them (cronsim).

    A local hour that a change of the clocks leaves out comes right after it, one that comes
    twice counts once; jobs of every hour or minute run as time passes.
    """

    def __init__(self, expression: str, zone: ZoneInfo) -> None:
        self._expression = expression
        self._zone = zone

    def first_from(self, instant: datetime) -> datetime:
        """Give the first instant at or after ``instant``."""
        return next(self.walk(instant))

    def last_until(self, instant: datetime) -> datetime:
        """Give the last instant at or before ``instant``."""
        found = self._walk(instant + _MINUTE, reverse=True)
        return next(at for at in found if at <= instant)

    def next_after(self, instant: datetime) -> datetime:
        """Give the first instant after ``instant``."""
        found = self._walk(instant - _MINUTE, reverse=False)
        return next(at for at in found if at > instant)

    def walk(self, instant: datetime) -> Iterator[datetime]:
        """Yield all instants at or after ``instant``."""
        found = self._walk(instant - _MINUTE, reverse=False)
        return (at for at in found if at >= instant)

    def _walk(self, start: datetime, *, reverse: bool) -> Iterator[datetime]:
        local = start.astimezone(self._zone)
        # What matches no day at all, as the 31st of February, is refused when a DAG is read.
        return (at.astimezone(UTC) for at in CronSim(self._expression, local, reverse=reverse))


class IntervalGrid:
    """Instants ``seconds`` apart, one of which is ``anchor``; so a restart does not shift them."""

    def __init__(self, seconds: float, anchor: datetime | None) -> None:
        self._step = timedelta(seconds=seconds)
        self._anchor = anchor or _EPOCH

    def first_from(self, instant: datetime) -> datetime:
        """Give the first instant at or after ``instant``."""
        last = self.last_until(instant)
        return last if last == instant else last + self._step

    def last_until(self, instant: datetime) -> datetime:
        """Give the last instant at or before ``instant``."""
        return self._anchor + (instant - self._anchor) // self._step * self._step

    def next_after(self, instant: datetime) -> datetime:
        """Give the first instant after ``instant``."""
        return self.last_until(instant) + self._step

    def walk(self, instant: datetime) -> Iterator[datetime]:
        """Yield all instants at or after ``instant``."""
        at = self.first_from(instant)
        while True:
            yield at
            at += self._step


def make_grid(schedule: Schedule, zone: str, start_date: datetime | None) -> Grid:
    """Give the instants of a schedule of kind ``cron`` or ``interval``."""
    if schedule.cron is not None:
        return CronGrid(schedule.cron, ZoneInfo(zone))
    assert schedule.interval_seconds is not None, "only cron and interval have a grid"
    return IntervalGrid(schedule.interval_seconds, start_date)
