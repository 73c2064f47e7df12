"""Backfills: their runs, their limit, what they leave alone, and their end."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from ground import Ground, make_book, open_ground
from house import make_dag, make_task
from leoflow_agent.spec import Schedule
from leoflow_controlplane.calendar import backfill
from leoflow_controlplane.calendar.backfill import Backfills
from leoflow_controlplane.command import BackfillRequest
from leoflow_controlplane.error import Conflict, NotFound, Refused
from leoflow_controlplane.model import RunKey
from leoflow_controlplane.schema import backfills, runs
from leoflow_controlplane.steps import dag, ending, intervention
from leoflow_controlplane.steps.due import come_due
from leoflow_controlplane.verdict import Exit
from sqlalchemy import select

NOW = datetime(2026, 1, 10, 12, tzinfo=UTC).timestamp()


@pytest.fixture
def ground() -> Iterator[Ground]:
    made = open_ground("sqlite://")
    made.book = make_book(companions=(Backfills(),))
    made.now = NOW
    made.register(make_dag(make_task("t"), schedule=Schedule("cron", cron="0 0 * * *")))
    yield made
    made.engine.dispose()


def companion(ground: Ground) -> Backfills:
    found = ground.book.companions[0]
    assert isinstance(found, Backfills)
    return found


def create(ground: Ground, **fields: Any) -> int:
    request = BackfillRequest(
        **{
            "dag_id": "d",
            "from_date": "2026-01-01T00:00:00+00:00",
            "to_date": "2026-01-04T00:00:00+00:00",
            **fields,
        }
    )
    return ground.step(companion(ground).create, request, ground.now)[0]


def go_on(ground: Ground) -> None:
    while (due := ground.progress.next_due) is not None and due <= ground.now:
        ground.step(come_due, frozenset(), ground.now)


def states(ground: Ground) -> dict[str, str]:
    rows = ground.read(lambda c: c.execute(select(runs.c.logical_date, runs.c.state)).all())
    return {date[8:10]: state for date, state in rows}


def finish_all(ground: Ground) -> None:
    while ground.book.tries:
        for key in list(ground.book.tries):
            ground.finish(key)
            ground.book.end_try(ground.book.tries[key])


def is_over(ground: Ground, pk: int) -> bool:
    return ground.read(
        lambda c: c.execute(
            select(backfills.c.finished_at.is_not(None)).where(backfills.c.id == pk)
        ).scalar_one()
    )


def test_a_backfill_runs_each_date_within_its_limit_and_ends(ground: Ground) -> None:
    pk = create(ground, max_active_runs=2)
    assert states(ground) == {"01": "running", "02": "running", "03": "queued", "04": "queued"}
    ground.finish(next(iter(ground.book.tries)))
    assert sorted(states(ground).values()) == ["queued", "running", "running", "success"]
    assert not is_over(ground, pk)
    finish_all(ground)
    assert set(states(ground).values()) == {"success"}
    assert is_over(ground, pk)


def test_backwards_begins_with_the_last_date(ground: Ground) -> None:
    create(ground, max_active_runs=1, run_backwards=True)
    assert states(ground)["04"] == "running"


def test_the_conf_reaches_every_run(ground: Ground) -> None:
    create(ground, conf={"full": True})
    assert [run.conf for run in ground.book.runs.values()] == [{"full": True}] * 4


@pytest.mark.parametrize(
    ("behavior", "again"), [("none", []), ("failed", ["02"]), ("completed", ["01", "02"])]
)
def test_what_is_there_is_left_alone_or_run_again(
    ground: Ground, behavior: str, again: list[str]
) -> None:
    for day, state in (("01", "success"), ("02", "failed")):
        (key,) = ground.trigger(f"m{day}", logical_date=f"2026-01-{day}T00:00:00+00:00")
        ground.finish(key, state)
        ground.book.end_try(ground.book.tries[key])
    create(ground, to_date="2026-01-03T00:00:00+00:00", reprocess_behavior=behavior)
    now = states(ground)
    assert [day for day in ("01", "02") if now[day] == "running"] == again
    assert now["03"] == "running"


def test_a_paused_backfill_starts_nothing_more(ground: Ground) -> None:
    pk = create(ground, max_active_runs=1)
    ground.step(companion(ground).change, pk, "pause", ground.now)
    finish_all(ground)
    assert list(states(ground).values()).count("queued") == 3
    ground.step(companion(ground).change, pk, "unpause", ground.now)
    finish_all(ground)
    assert is_over(ground, pk)


def test_a_cancelled_backfill_lets_its_runs_end(ground: Ground) -> None:
    pk = create(ground, max_active_runs=1)
    ground.step(companion(ground).change, pk, "cancel", ground.now)
    assert states(ground) == {"01": "running", "02": "failed", "03": "failed", "04": "failed"}
    with pytest.raises(Conflict, match="is over"):
        ground.step(companion(ground).change, pk, "cancel", ground.now)


def test_a_long_backfill_goes_on_after_a_restart(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backfill, "MOST_AT_ONCE", 2)
    pk = create(ground, max_active_runs=10)
    assert len(states(ground)) == 2
    ground.book = make_book(companions=(Backfills(),))
    ground.step(come_due, frozenset(), ground.now)
    go_on(ground)
    assert len(states(ground)) == 4
    finish_all(ground)
    assert is_over(ground, pk)


def test_a_run_that_is_deleted_before_its_turn_is_made_anew(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backfill, "MOST_AT_ONCE", 1)
    for day in ("01", "02"):
        (key,) = ground.trigger(f"m{day}", logical_date=f"2026-01-{day}T00:00:00+00:00")
        ground.finish(key)
        ground.book.end_try(ground.book.tries[key])
    pk = create(ground, to_date="2026-01-02T00:00:00+00:00", reprocess_behavior="completed")
    ground.step(intervention.delete_run, RunKey("d", "m02"), ground.now)
    go_on(ground)
    assert states(ground) == {"01": "running", "02": "running"}
    finish_all(ground)
    assert is_over(ground, pk)


def test_a_backfill_goes_with_its_dag(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfill, "MOST_AT_ONCE", 1)
    create(ground)
    (key,) = ground.handed_out()
    ground.finish(key)
    ground.step(ending.close_tries, [ending.End(key, Exit(0), {})], ground.now)
    ground.step(dag.delete_dag, "d", ground.now)
    go_on(ground)
    assert ground.read(lambda c: c.execute(select(backfills.c.id)).all()) == []


@pytest.mark.parametrize(
    ("fields", "kind", "text"),
    [
        ({"dag_id": "x"}, NotFound, "there is no DAG 'x'"),
        ({"from_date": "2026-02-01T00:00:00+00:00"}, Refused, "is after to_date"),
        ({"from_date": "yesterday"}, Refused, "have to be ISO 8601"),
        ({"conf": {"a": "x" * 50_000}}, Refused, "more than the limit of 49152"),
        ({"max_active_runs": 0}, Refused, "it has to be 1 or more"),
        ({"from_date": "1900-01-01T00:00:00+00:00"}, Refused, "more than 10000 runs"),
        ({"from_date": "0001-01-01T00:00:00+14:00"}, Refused, "in the years 1900 to 8999"),
        ({"to_date": "9999-12-31T00:00:00-14:00"}, Refused, "in the years 1900 to 8999"),
        (
            {"from_date": "2026-01-01T01:00:00+00:00", "to_date": "2026-01-01T02:00:00+00:00"},
            Refused,
            "has no date from",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(
    ground: Ground, fields: dict[str, Any], kind: type[Exception], text: str
) -> None:
    with pytest.raises(kind, match=text):
        create(ground, **fields)
    assert ground.read(lambda c: c.execute(select(backfills.c.id)).all()) == []


def test_one_backfill_of_a_dag_at_a_time(ground: Ground) -> None:
    pk = create(ground)
    with pytest.raises(Conflict, match=f"a backfill that is not over: {pk}"):
        create(ground)


def test_a_dag_without_dates_has_none_to_backfill(ground: Ground) -> None:
    ground.register(make_dag(make_task("t"), dag_id="manual"))
    with pytest.raises(Refused, match="no schedule with dates"):
        create(ground, dag_id="manual")
