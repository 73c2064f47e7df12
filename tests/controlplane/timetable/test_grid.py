"""Instants of schedules: across daylight saving, and the same from wherever one looks."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from leoflow_controlplane.timetable.grid import CronGrid, Grid, IntervalGrid

BERLIN = ZoneInfo("Europe/Berlin")


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN)


def walk(grid: Grid, start: str, count: int) -> list[str]:
    found: list[str] = []
    at = grid.first_from(local(start))
    while len(found) < count:
        found.append(at.astimezone(BERLIN).strftime("%d %H:%M%z"))
        at = grid.next_after(at)
    return found


@pytest.mark.parametrize(
    ("cron", "start", "instants"),
    [
        # The clocks go from 2 to 3 on 29 March 2026, and from 3 back to 2 on 25 October.
        ("30 2 * * *", "2026-03-28", ["28 02:30+0100", "29 03:00+0200", "30 02:30+0200"]),
        ("30 2 * * *", "2026-10-24", ["24 02:30+0200", "25 02:30+0200", "26 02:30+0100"]),
        ("0 3 * * *", "2026-10-24", ["24 03:00+0200", "25 03:00+0100", "26 03:00+0100"]),
        ("0 * * * *", "2026-03-29T01:00", ["29 01:00+0100", "29 03:00+0200", "29 04:00+0200"]),
        ("0 * * * *", "2026-10-25T02:00", ["25 02:00+0200", "25 02:00+0100", "25 03:00+0100"]),
        ("0 9 * * MON-FRI", "2026-01-02", ["02 09:00+0100", "05 09:00+0100"]),
        ("0 0 L * *", "2026-02-01", ["28 00:00+0100", "31 00:00+0200"]),
    ],
)
def test_cron_keeps_local_hours(cron: str, start: str, instants: list[str]) -> None:
    assert walk(CronGrid(cron, BERLIN), start, len(instants)) == instants


MOMENTS = st.datetimes(datetime(2025, 1, 1), datetime(2027, 12, 31)).map(
    lambda at: at.replace(tzinfo=UTC)
)
GRIDS = st.one_of(
    st.sampled_from(["*/7 * * * *", "0 * * * *", "30 2 * * *", "0 0 1 * *", "15 1-4 * * SUN"]).map(
        lambda cron: CronGrid(cron, BERLIN)
    ),
    st.builds(IntervalGrid, st.sampled_from([60.0, 86400.0, 5400.5]), st.none() | MOMENTS),
)


@given(GRIDS, MOMENTS)
def test_forwards_and_backwards_are_the_same_instants(grid: Grid, moment: datetime) -> None:
    first, last, after = grid.first_from(moment), grid.last_until(moment), grid.next_after(moment)
    assert last <= moment <= first <= after
    assert moment < after
    assert grid.first_from(first) == grid.last_until(first) == first
    assert grid.next_after(last) == after
    assert (first == last) == (first == moment)


def test_intervals_do_not_depend_on_when_one_looks() -> None:
    grid = IntervalGrid(1800, None)
    assert grid.first_from(datetime(2026, 1, 1, 10, 7, tzinfo=UTC)) == datetime(
        2026, 1, 1, 10, 30, tzinfo=UTC
    )
    anchored = IntervalGrid(1800, datetime(2026, 1, 1, 0, 10, tzinfo=UTC))
    assert anchored.last_until(datetime(2026, 1, 1, 10, 39, tzinfo=UTC)) == datetime(
        2026, 1, 1, 10, 10, tzinfo=UTC
    )
    assert anchored.next_after(datetime(2026, 1, 1, 10, 10, tzinfo=UTC)) == datetime(
        2026, 1, 1, 10, 40, tzinfo=UTC
    )
