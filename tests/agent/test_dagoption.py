"""Options of @dag that JSON has no value for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from leoflow_agent.dagoption import plain

VIENNA = ZoneInfo("Europe/Vienna")


def test_instants_and_lengths_of_time_become_what_dag_yaml_has() -> None:
    options = {
        "schedule": timedelta(hours=6),
        "start_date": datetime(2026, 1, 1),
        "end_date": datetime(2026, 7, 1, tzinfo=UTC),
        "catchup": False,
    }
    assert plain(options) == {
        "schedule": {"interval_seconds": 21600.0},
        "start_date": "2026-01-01T00:00:00",
        "end_date": "2026-07-01T00:00:00+00:00",
        "catchup": False,
    }


def test_the_zone_of_the_start_is_the_dags_unless_one_is_named() -> None:
    start = datetime(2026, 1, 1, tzinfo=VIENNA)
    assert plain({"start_date": start}) == {
        "start_date": "2026-01-01T00:00:00+01:00",
        "timezone": "Europe/Vienna",
    }
    assert plain({"start_date": start, "timezone": "UTC"})["timezone"] == "UTC"


def test_an_offset_is_no_zone() -> None:
    start = datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=2), "+02:00"))
    assert plain({"start_date": start}) == {"start_date": "2026-01-01T00:00:00+02:00"}


def test_a_dict_is_no_schedule_of_dag_py() -> None:
    assert plain({"schedule": {"interval_seconds": 5}})["schedule"] == "{'interval_seconds': 5}"
