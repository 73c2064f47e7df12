"""When a DAG runs, as people write it: a schedule, dates and a time zone. Pure.

Loads what knows cron and time zones once one of them is checked.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from leoflow_agent.spec import Schedule

from leoflow_builder.problem import did_you_mean

# Airflow's presets, as cron.
PRESETS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@quarterly": "0 0 1 */3 *",
    "@yearly": "0 0 1 1 *",
}
_FIELDS = 5
_KNOWN = f"cron with five fields, {', '.join(PRESETS)}, @once, @continuous, a timedelta, or None"


def check_schedule(written: Any) -> Any:
    """Return ``written`` if it is a schedule, else raise ValueError."""
    schedule_of(written)
    return written


def schedule_of(written: Any) -> Schedule | None:
    """Return the schedule that is written: text, {interval_seconds: …}, or None, where only users
    start runs. ValueError if it is none."""
    if written is None:
        return None
    if isinstance(written, dict) and set(written) == {"interval_seconds"}:
        return Schedule("interval", interval_seconds=_interval(written["interval_seconds"]))
    if not isinstance(written, str):
        raise ValueError(f"'{written}' is no schedule. Write {_KNOWN}")
    if written == "@once":
        return Schedule("once")
    if written == "@continuous":
        return Schedule("continuous")
    if written.startswith("@") and written not in PRESETS:
        hint = did_you_mean(written, [*PRESETS, "@once", "@continuous"]) or f" Write {_KNOWN}"
        raise ValueError(f"'{written}' is no preset that leoflow knows.{hint}")
    return Schedule("cron", cron=PRESETS.get(written) or _cron(written))


def _interval(seconds: Any) -> float:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or seconds <= 0:
        raise ValueError(f"an interval of '{seconds}' seconds is none: write more than 0")
    return float(seconds)


def _cron(written: str) -> str:
    fields = written.split()
    if len(fields) != _FIELDS:
        raise ValueError(f"'{written}' is no schedule. Write {_KNOWN}")
    from cronsim import CronSim, CronSimError

    cron = " ".join(fields)
    try:
        next(CronSim(cron, datetime(2024, 1, 1)))
    except (CronSimError, StopIteration) as error:
        reason = str(error).lower() or "there is no such day"
        raise ValueError(
            f"'{written}' is no cron: {reason}. Write minute, hour, day, month and "
            "weekday: '30 6 * * 1-5'"
        ) from None
    return cron


def check_timezone(name: str) -> str:
    """Return ``name`` if it is an IANA time zone, else raise ValueError."""
    from zoneinfo import ZoneInfo, available_timezones

    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        hint = did_you_mean(name, available_timezones()) or " Write for example Europe/Vienna."
        raise ValueError(f"'{name}' is no time zone (IANA) that leoflow knows.{hint}") from None
    return name


def check_date(text: str) -> str:
    """Return ``text`` if it is a date or an instant in ISO 8601, else raise ValueError."""
    try:
        datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"'{text}' is no date. Write ISO 8601, as 2026-01-31 or 2026-01-31T06:00+01:00"
        ) from None
    return text


def instant_of(text: str, timezone: str) -> datetime:
    """Return the instant in ``text``; as in Airflow, without an offset it is in ``timezone``."""
    found = datetime.fromisoformat(text)
    if found.tzinfo is not None:
        return found
    from zoneinfo import ZoneInfo

    return found.replace(tzinfo=ZoneInfo(timezone))
