"""Which runs are made now: within max_active_runs, and for a backfill."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from leoflow_agent.spec import DagSpec, Schedule
from leoflow_controlplane.timetable.planning import MOST_AT_ONCE, Known, plan_backfill, plan_runs
from leoflow_controlplane.timetable.timetable import Timetable


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def make(cron: str | None = "0 6 * * *", **fields: Any) -> Timetable:
    schedule = None if cron is None else Schedule("cron", cron=cron)
    return Timetable(DagSpec("d", "3.11", (), schedule=schedule, **fields))


START = "2026-01-01T00:00:00+00:00"


def test_catchup_makes_as_many_runs_as_there_is_room_for() -> None:
    table = make(start_date=START, catchup=True)
    runs, last, next_at = plan_runs(table, None, 3, at("2026-01-10T12:00"))
    assert [due.logical_date.day for due in runs] == [1, 2, 3]
    assert last == runs[-1].interval
    assert next_at is None
    runs, _, next_at = plan_runs(table, last, 30, at("2026-01-10T12:00"))
    assert [due.logical_date.day for due in runs] == [4, 5, 6, 7, 8, 9, 10]
    assert next_at == at("2026-01-11T06:00")


def test_a_long_catchup_is_made_in_steps() -> None:
    table = make("* * * * *", start_date=START, catchup=True)
    now = at("2026-01-10T12:00")
    runs, _, next_at = plan_runs(table, None, 1000, now)
    assert (len(runs), next_at) == (MOST_AT_ONCE, now)


def test_without_room_nothing_is_missed() -> None:
    table = make(start_date=START)
    runs, last, next_at = plan_runs(table, None, 0, at("2026-01-10T12:00"))
    assert (runs, last, next_at) == ((), None, None)


def test_the_end_date_is_the_end() -> None:
    table = make(start_date=START, end_date="2026-01-02T23:00:00+00:00", catchup=True)
    runs, _, next_at = plan_runs(table, None, 10, at("2026-01-10T12:00"))
    assert ([due.logical_date.day for due in runs], next_at) == ([1, 2], None)


def test_a_backfill_leaves_alone_what_is_there_or_clears_it() -> None:
    known = {
        at("2026-01-02T06:00"): Known("a", "success"),
        at("2026-01-03T06:00"): Known("b", "failed"),
        at("2026-01-04T06:00"): Known("c", "running"),
    }
    dates = (at("2026-01-01T00:00"), at("2026-01-05T00:00"))
    actions = {
        behavior: [one.action for one in plan_backfill(make(), dates, known, behavior)]
        for behavior in ("none", "failed", "completed")
    }
    assert actions == {
        "none": ["create", "skip", "skip", "skip"],
        "failed": ["create", "skip", "clear", "skip"],
        "completed": ["create", "clear", "clear", "skip"],
    }


def test_a_backfill_can_go_backwards_and_needs_a_grid() -> None:
    dates = (at("2026-01-01T00:00"), at("2026-01-03T12:00"))
    plan = plan_backfill(make(), dates, {}, "none", backwards=True)
    assert [one.due.logical_date.day for one in plan] == [3, 2, 1]
    assert plan_backfill(make(None), dates, {}, "none") == []
