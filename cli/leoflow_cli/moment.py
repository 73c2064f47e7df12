"""Instants and durations for people: local time with its offset, "2 min 5 s". Pure."""

from __future__ import annotations

from datetime import datetime

UNITS = ((86400, "d"), (3600, "h"), (60, "min"))


def parse(text: str | None) -> datetime | None:
    """Return an instant of the API's as local time; None for None and for what is no date."""
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError:
        return None


def local(text: str | None) -> str:
    """Return an instant of the API's as "2026-01-31 06:00:00+01:00", "" for None."""
    moment = parse(text)
    if moment is None:
        return text or ""
    return moment.isoformat(sep=" ", timespec="seconds")


def seconds_between(start: str | None, end: str | None, now: datetime) -> float | None:
    """Return how long something took, or has taken so far if it has no end yet."""
    began, ended = parse(start), parse(end)
    return None if began is None else max(0.0, ((ended or now) - began).total_seconds())


def duration(seconds: float | None) -> str:
    """Return "0.42 s", "12 s", "2 min 5 s", "3 h 4 min" or "2 d 3 h"; "" for None."""
    if seconds is None:
        return ""
    if seconds < 9.995:
        return f"{seconds:.2f} s"
    whole = round(seconds)
    for index, (size, unit) in enumerate(UNITS):
        if whole >= size:
            below, below_unit = UNITS[index + 1] if index + 1 < len(UNITS) else (1, "s")
            rest = whole % size // below
            return f"{whole // size} {unit}" + (f" {rest} {below_unit}" if rest else "")
    return f"{whole} s"
