"""Turns the options of @dag into JSON: instants and lengths of time among them.

Used by ``read_dag`` only; never imported in a task's container.
"""

from datetime import datetime, timedelta

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_DATES = ("start_date", "end_date")


def plain(options: "dict[str, Any]") -> "dict[str, Any]":
    """Return ``options`` as dag.yaml would have them.

    As in Airflow, the time zone of ``start_date`` is the DAG's if none is named.
    """
    found = dict(options)
    for name in _DATES:
        if isinstance(found.get(name), datetime):
            found[name] = found[name].isoformat()
    schedule = found.get("schedule")
    if isinstance(schedule, timedelta):
        found["schedule"] = {"interval_seconds": schedule.total_seconds()}
    elif isinstance(schedule, dict):
        # It is dag.yaml's way to write a timedelta; here it would be a second one.
        found["schedule"] = repr(schedule)
    zone = _zone(options.get("start_date"))
    if zone is not None:
        found.setdefault("timezone", zone)
    return found


def _zone(date: object) -> "str | None":
    """Return the name of a date's time zone: zoneinfo calls it key, pendulum name, pytz zone."""
    zone = date.tzinfo if isinstance(date, datetime) else None
    names = [getattr(zone, attribute, None) for attribute in ("key", "name", "zone")]
    named = (name for name in names if isinstance(name, str))
    # Without a slash it is an offset, but for UTC.
    return next((name for name in named if "/" in name or name == "UTC"), None)
