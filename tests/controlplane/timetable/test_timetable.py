"""Which run comes next: catchup or not, start and end dates, with and without data intervals."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from leoflow_agent.spec import DagSpec, Schedule
from leoflow_controlplane.timetable.timetable import Due, Interval, Timetable

DAILY = Schedule("cron", cron="0 6 * * *")
HOURLY = Schedule("interval", interval_seconds=3600)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def make(
    schedule: Schedule | None,
    *,
    intervals: bool = False,
    since: datetime | None = None,
    **fields: Any,
) -> Timetable:
    spec = DagSpec("d", "3.11", (), schedule=schedule, **fields)
    return Timetable(spec, intervals=intervals, since=since)


def told(due: Due | None) -> tuple[str, str, str] | None:
    if due is None:
        return None
    start, end = due.interval
    return tuple(f"{one:%m-%d %H:%M}" for one in (start, end, due.run_after))  # type: ignore


NOW = at("2026-01-10T12:00")
LAST = Interval(at("2026-01-07T06:00"), at("2026-01-07T06:00"))


@pytest.mark.parametrize(
    ("fields", "last", "expected"),
    [
        # A DAG without a start date misses nothing before it was there.
        ({}, None, "01-11 06:00"),
        ({"catchup": True}, None, "01-11 06:00"),
        ({"start_date": "2026-01-01T00:00:00+00:00"}, None, "01-10 06:00"),
        ({"start_date": "2026-01-01T00:00:00+00:00", "catchup": True}, None, "01-01 06:00"),
        ({"start_date": "2026-02-01T00:00:00+00:00"}, None, "02-01 06:00"),
        ({}, LAST, "01-10 06:00"),
        ({"catchup": True}, LAST, "01-08 06:00"),
        ({"end_date": "2026-01-09T00:00:00+00:00"}, LAST, None),
        ({"end_date": "2026-01-08T06:00:00+00:00", "catchup": True}, LAST, "01-08 06:00"),
        ({"timezone": "America/New_York"}, None, "01-11 11:00"),
    ],
)
def test_the_next_run_of_a_cron(
    fields: dict[str, Any], last: Interval | None, expected: str | None
) -> None:
    due = make(DAILY, **fields).next(last, NOW)
    assert told(due) == (None if expected is None else (expected,) * 3)


@pytest.mark.parametrize(
    ("fields", "last", "expected"),
    [
        ({}, None, ("01-10 06:00", "01-11 06:00", "01-11 06:00")),
        (
            {"start_date": "2026-01-01T00:00:00+00:00"},
            None,
            ("01-09 06:00", "01-10 06:00", "01-10 06:00"),
        ),
        (
            {"start_date": "2026-01-01T00:00:00+00:00", "catchup": True},
            None,
            ("01-01 06:00", "01-02 06:00", "01-02 06:00"),
        ),
        (
            {"catchup": True},
            Interval(at("2026-01-02T06:00"), at("2026-01-03T06:00")),
            ("01-03 06:00", "01-04 06:00", "01-04 06:00"),
        ),
        (
            {},
            Interval(at("2026-01-09T06:00"), at("2026-01-10T06:00")),
            ("01-10 06:00", "01-11 06:00", "01-11 06:00"),
        ),
    ],
)
def test_the_next_run_of_a_cron_with_data_intervals(
    fields: dict[str, Any], last: Interval | None, expected: tuple[str, str, str]
) -> None:
    assert told(make(DAILY, intervals=True, **fields).next(last, NOW)) == expected


@pytest.mark.parametrize("catchup", [False, True])
@pytest.mark.parametrize(("intervals", "start"), [(False, "01-10 06:00"), (True, "01-09 06:00")])
def test_the_first_run_of_a_dag_without_a_start_date_is_not_missed_by_looking_late(
    catchup: bool, intervals: bool, start: str
) -> None:
    table = make(DAILY, intervals=intervals, catchup=catchup, since=at("2026-01-09T12:00"))
    due = table.next(None, at("2026-01-10T06:00:01"))
    assert told(due) == (start, "01-10 06:00", "01-10 06:00")


def test_once_comes_once() -> None:
    once = make(Schedule("once"))
    assert told(once.next(None, NOW)) == ("01-10 12:00",) * 3
    assert once.next(LAST, NOW) is None
    dated = make(Schedule("once"), start_date="2026-03-01T00:00:00+00:00")
    assert told(dated.next(None, NOW)) == ("03-01 00:00",) * 3


def test_continuous_goes_on_where_the_last_one_ended() -> None:
    continuous = make(Schedule("continuous"), max_active_runs=1)
    assert told(continuous.next(None, NOW)) == ("01-10 12:00",) * 3
    longer = Interval(at("2026-01-07T06:00"), at("2026-01-08T06:00"))
    assert told(continuous.next(longer, NOW)) == ("01-08 06:00", "01-10 12:00", "01-10 12:00")
    first = continuous.next(None, NOW)
    assert first is not None
    second = continuous.next(first.interval, NOW)
    assert second is not None
    assert second.logical_date > first.logical_date


def test_no_schedule_makes_no_runs() -> None:
    assert make(None).next(None, NOW) is None


def test_the_clock_that_went_back_makes_no_run_twice() -> None:
    table = make(HOURLY)
    last = Interval(at("2026-01-10T12:00"), at("2026-01-10T12:00"))
    assert told(table.next(last, at("2026-01-10T03:30"))) == ("01-10 13:00",) * 3


@given(
    st.sampled_from([DAILY, HOURLY, Schedule("cron", cron="*/20 2-3 * * *")]),
    st.booleans(),
    st.booleans(),
    st.lists(st.integers(1, 200_000), min_size=1, max_size=20),
)
def test_runs_come_in_order_and_never_twice(
    schedule: Schedule, catchup: bool, intervals: bool, pauses: list[int]
) -> None:
    table = make(
        schedule,
        intervals=intervals,
        catchup=catchup,
        start_date="2026-03-27T00:00:00+00:00",
        timezone="Europe/Berlin",
    )
    last: Interval | None = None
    now = at("2026-03-28T00:00").timestamp()
    for pause in pauses:
        now += pause
        due = table.next(last, datetime.fromtimestamp(now, UTC))
        assert due is not None
        if last is not None:
            assert due.interval.start >= last.end
            assert due.interval != last
            if catchup and intervals:
                assert due.interval.start == last.end
        last = due.interval
