"""Runs of schedules: made when due and when there is room, once each, also across a restart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from ground import Ground, make_book, open_ground, rows
from house import make_dag, make_task
from leoflow_agent.spec import DagSpec, Schedule
from leoflow_controlplane.calendar.schedule import Schedules
from leoflow_controlplane.model import TryKey
from leoflow_controlplane.schema import runs
from leoflow_controlplane.steps import dag
from leoflow_controlplane.steps.due import come_due
from sqlalchemy import select

START = "2026-01-01T00:00:00+00:00"
NOON = datetime(2026, 1, 10, 12, tzinfo=UTC).timestamp()
HOUR, DAY = 3600.0, 86400.0


def make_ground() -> Ground:
    made = open_ground("sqlite://")
    made.book = make_book(companions=(Schedules(),))
    made.now = NOON
    return made


@pytest.fixture
def ground() -> Iterator[Ground]:
    made = make_ground()
    yield made
    made.engine.dispose()


def daily(*, cron: str = "0 6 * * *", **fields: Any) -> DagSpec:
    return make_dag(make_task("t"), schedule=Schedule("cron", cron=cron), **fields)


def run_ids(ground: Ground) -> list[str]:
    found = ground.read(
        lambda connection: connection.execute(select(runs.c.run_id)).scalars().all()
    )
    return [run_id.removesuffix("+00:00") for run_id in found]


def wait(ground: Ground, until: float) -> list[TryKey]:
    """Let the clock come to the next due instant, until nothing is due any more."""
    handed_out = []
    while (due := ground.progress.next_due) is not None and due <= until:
        ground.now = max(due, ground.now)
        ground.step(come_due, frozenset(), ground.now)
        handed_out += ground.handed_out()
    ground.now = until
    return handed_out


def test_a_run_is_made_at_its_instant_and_starts_at_once(ground: Ground) -> None:
    ground.register(daily())
    assert run_ids(ground) == []
    assert ground.progress.next_due == NOON + 18 * HOUR
    (key,) = wait(ground, NOON + 18 * HOUR)
    assert key.run_id == "scheduled__2026-01-11T06:00:00+00:00"
    (row,) = rows(ground, runs)
    assert (row.run_type, row.data_interval_start) == ("scheduled", "2026-01-11T06:00:00+00:00")


def test_a_timer_that_is_late_does_not_miss_the_first_run(ground: Ground) -> None:
    ground.register(daily())
    ground.now = NOON + 18 * HOUR + 0.004
    ground.step(come_due, frozenset(), ground.now)
    assert run_ids(ground) == ["scheduled__2026-01-11T06:00:00"]


def test_without_catchup_only_the_latest_missed_run_is_made(ground: Ground) -> None:
    ground.register(daily(start_date=START))
    assert run_ids(ground) == ["scheduled__2026-01-10T06:00:00"]


def test_catchup_is_held_to_max_active_runs(ground: Ground) -> None:
    ground.register(daily(start_date=START, catchup=True, max_active_runs=2))
    assert run_ids(ground) == ["scheduled__2026-01-01T06:00:00", "scheduled__2026-01-02T06:00:00"]
    ground.finish(ground.handed_out()[0])
    wait(ground, ground.now)
    assert run_ids(ground)[2:] == ["scheduled__2026-01-03T06:00:00"]


def test_a_paused_dag_makes_no_runs_and_goes_on_where_it_should(ground: Ground) -> None:
    ground.register(daily(start_date=START, is_paused_upon_creation=True))
    assert (run_ids(ground), ground.progress.next_due) == ([], None)
    ground.step(dag.pause_dag, "d", False, ground.now)
    assert run_ids(ground) == ["scheduled__2026-01-10T06:00:00"]
    ground.step(dag.pause_dag, "d", True, ground.now)
    wait(ground, NOON + 5 * DAY)
    assert len(run_ids(ground)) == 1


def test_once_is_once(ground: Ground) -> None:
    spec = make_dag(make_task("t"), schedule=Schedule("once"))
    ground.register(spec)
    assert len(run_ids(ground)) == 1
    ground.register(spec, image="other")
    ground.finish(ground.book.tries.copy().popitem()[0])
    wait(ground, NOON + DAY)
    assert len(run_ids(ground)) == 1


def test_continuous_begins_again_when_it_has_ended(ground: Ground) -> None:
    ground.register(make_dag(make_task("t"), schedule=Schedule("continuous"), max_active_runs=1))
    for count in (1, 2, 3):
        assert len(run_ids(ground)) == count
        (key,) = [key for key, held in ground.book.tries.items() if held.is_current]
        ground.now += 60
        ground.finish(key)
        wait(ground, ground.now)
    intervals = ground.read(
        lambda c: c.execute(select(runs.c.data_interval_start, runs.c.data_interval_end)).all()
    )
    assert [one[1] for one in intervals[1:-1]] == [one[0] for one in intervals[2:]]


@pytest.mark.parametrize("restart", [False, True])
def test_nothing_is_made_twice_or_left_out_across_a_restart(ground: Ground, restart: bool) -> None:
    ground.register(daily(cron="0 * * * *", start_date=START, catchup=False))
    for _ in range(5):
        if restart:
            ground.book = make_book(companions=(Schedules(),))
            ground.step(come_due, frozenset(), ground.now)
        wait(ground, ground.now + HOUR)
    assert run_ids(ground) == [f"scheduled__2026-01-10T{hour}:00:00" for hour in range(12, 18)]


def test_a_new_version_has_a_new_schedule_and_keeps_its_place(ground: Ground) -> None:
    ground.register(daily(start_date=START))
    ground.register(daily(cron="0 18 * * *", start_date=START), image="newer")
    wait(ground, NOON + DAY)
    assert run_ids(ground) == ["scheduled__2026-01-10T06:00:00", "scheduled__2026-01-10T18:00:00"]


def test_a_clock_that_jumps_makes_no_more_runs_than_may_be_and_none_twice(ground: Ground) -> None:
    """A year forward, with every minute of it due, and back."""
    for number in range(22):
        every_minute = daily(
            dag_id=f"d{number}", cron="* * * * *", catchup=number % 2 == 1, max_active_runs=3
        )
        ground.register(every_minute)
    ground.now += 365 * DAY
    ground.step(come_due, frozenset(), ground.now)
    # One step does not keep the others waiting for all of them.
    assert len(ground.book.runs) <= 3 * 20
    wait(ground, ground.now)
    # One that was due when it was registered, and the latest; or as many as may be at once.
    made = Counter(key.dag_id for key in ground.book.runs)
    assert [made[f"d{number}"] for number in range(22)] == [2, 3] * 11
    ground.now = NOON
    for number in range(22):
        ground.register(daily(dag_id=f"d{number}", cron="* * * * *"), image="new")
    wait(ground, NOON + 120)
    assert Counter(key.dag_id for key in ground.book.runs) == made


def test_a_deleted_dag_makes_no_runs(ground: Ground) -> None:
    ground.register(daily())
    ground.step(dag.delete_dag, "d", ground.now)
    assert ground.progress.next_due is None


def test_a_run_that_someone_made_for_the_date_is_left_alone(ground: Ground) -> None:
    ground.register(daily())
    ground.trigger("scheduled__2026-01-11T06:00:00+00:00")
    wait(ground, NOON + 2 * DAY)
    assert run_ids(ground) == ["scheduled__2026-01-11T06:00:00", "scheduled__2026-01-12T06:00:00"]


def test_a_step_looks_at_the_dags_that_are_due_alone(ground: Ground) -> None:
    looked: list[str] = []
    schedules = ground.book.companions[0]
    look: Callable[..., None] = schedules._look  # type: ignore[attr-defined]

    def counted(connection: Any, book: Any, dag_id: str, now: float) -> None:
        looked.append(dag_id)
        look(connection, book, dag_id, now)

    for number in range(60):
        ground.register(daily(dag_id=f"d{number}", cron=f"{number} {number % 24} * * *"))
    schedules._look = counted  # type: ignore[attr-defined]
    due = ground.progress.next_due
    assert due is not None
    ground.step(come_due, frozenset(), due)
    assert len(looked) == 1
