"""What may be written as a schedule, a time zone and a date."""

from __future__ import annotations

from typing import Any

import pytest
from leoflow_agent.spec import Schedule
from leoflow_builder.schedule import (
    PRESETS,
    check_date,
    check_timezone,
    instant_of,
    schedule_of,
)


@pytest.mark.parametrize(
    ("written", "schedule"),
    [
        (None, None),
        ("30 6 * * 1-5", Schedule("cron", "30 6 * * 1-5")),
        (" 0  0 L * * ", Schedule("cron", "0 0 L * *")),
        ("0 12 * * MON#2", Schedule("cron", "0 12 * * MON#2")),
        ("@daily", Schedule("cron", "0 0 * * *")),
        ("@once", Schedule("once")),
        ("@continuous", Schedule("continuous")),
        ({"interval_seconds": 90}, Schedule("interval", interval_seconds=90.0)),
    ],
)
def test_a_schedule_is_what_is_written(written: Any, schedule: Schedule | None) -> None:
    assert schedule_of(written) == schedule


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_is_a_cron_of_its_own(preset: str) -> None:
    found = schedule_of(preset)
    assert found is not None
    assert schedule_of(found.cron) == found


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("0 6 * *", "'0 6 * *' is no schedule. Write cron with five fields"),
        ("0 0 6 * * *", "is no schedule"),
        ("", "is no schedule"),
        ("61 6 * * *", "'61 6 * * *' is no cron: bad minute"),
        ("0 0 30 2 *", "is no cron: bad day-of-month"),
        ("@dayly", "is no preset that leoflow knows. Did you mean '@daily'?"),
        ("@reboot", "is no preset"),
        (5, "'5' is no schedule"),
        (["0 0 * * *"], "is no schedule"),
        ({"interval_seconds": 0}, "write more than 0"),
        ({"interval_seconds": True}, "write more than 0"),
        ({"hours": 1}, "is no schedule"),
    ],
)
def test_anything_else_is_refused(written: Any, message: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - its message is what matters
        schedule_of(written)
    assert message in str(caught.value)


def test_time_zones_are_those_of_iana() -> None:
    assert check_timezone("Europe/Vienna") == "Europe/Vienna"
    for wrong in ("Europe/Viena", "../etc/passwd", "", "+02:00"):
        with pytest.raises(ValueError, match="is no time zone"):
            check_timezone(wrong)


def test_dates_are_iso_8601() -> None:
    assert check_date("2026-01-31") == "2026-01-31"
    with pytest.raises(ValueError, match="is no date"):
        check_date("31.1.2026")


@pytest.mark.parametrize(
    ("text", "timezone", "instant"),
    [
        ("2026-07-01", "UTC", "2026-07-01T00:00:00+00:00"),
        ("2026-07-01", "Europe/Vienna", "2026-07-01T00:00:00+02:00"),
        ("2026-01-01T06:30", "Europe/Vienna", "2026-01-01T06:30:00+01:00"),
        ("2026-01-01T06:30-05:00", "Europe/Vienna", "2026-01-01T06:30:00-05:00"),
    ],
)
def test_a_date_without_offset_is_one_of_the_dags_time_zone(
    text: str, timezone: str, instant: str
) -> None:
    assert instant_of(text, timezone).isoformat() == instant
