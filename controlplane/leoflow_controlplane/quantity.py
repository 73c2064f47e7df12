"""How values of settings are written and read: numbers, durations, sizes, switches. Pure.

A reader takes text (of a flag or a variable) or what TOML gives, and raises ValueError for what it
cannot take; whoever calls it says where that was written.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = {
    "": 1,
    "b": 1,
    "kb": 1000,
    "mb": 1000**2,
    "gb": 1000**3,
    "kib": 1024,
    "mib": 1024**2,
    "gib": 1024**3,
}
_PART = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)\s*", re.IGNORECASE)
_SWITCH = {"true": True, "yes": True, "on": True, "1": True} | {
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}


class Kind(NamedTuple):
    """A kind of values: how one is read and shown, and what it is called in an error."""

    read: Callable[[Any], Any]
    what: str
    show: Callable[[Any], str] = str


def read_count(value: Any) -> int:
    """Read a whole number above 0."""
    return _at_least(1, _whole(value))


def read_number(value: Any) -> int:
    """Read a whole number from 0 on."""
    return _at_least(0, _whole(value))


def read_port(value: Any) -> int:
    """Read a port; 0 is any that is free."""
    port = _at_least(0, _whole(value))
    if port > 65535:
        raise ValueError
    return port


def read_seconds(value: Any) -> float:
    """Read a duration: a number of seconds, or with units such as "1h30m" or "500ms"."""
    seconds = _number(value)
    if seconds is None:
        seconds = sum(number * _SECONDS[unit] for number, unit in _parts(value, _SECONDS))
    if not 0 < seconds < float("inf"):
        raise ValueError
    return seconds


def read_days(value: Any) -> float | None:
    """Read a number of days, "30d", or "forever" (None)."""
    if value is None or (isinstance(value, str) and value.strip().lower() == "forever"):
        return None
    number = _number(value)
    days = read_seconds(value) / _SECONDS["d"] if number is None else number
    if not 0 < days < float("inf"):
        raise ValueError
    return days


def read_bytes(value: Any) -> int:
    """Read a size: a number of bytes, or with a unit such as "2MiB" or "1.5GB"."""
    if isinstance(value, str):
        return _at_least(
            1, int(sum(number * _BYTES[unit] for number, unit in _parts(value, _BYTES)))
        )
    return read_count(value)


def read_switch(value: Any) -> bool:
    """Read true or false, or what stands for them."""
    if isinstance(value, bool):
        return value
    if not isinstance(value, str) or value.strip().lower() not in _SWITCH:
        raise ValueError
    return _SWITCH[value.strip().lower()]


def read_text(value: Any) -> str:
    """Read a text that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError
    return value.strip()


def read_words(value: Any) -> tuple[str, ...]:
    """Read a list, or words with commas or spaces between."""
    if isinstance(value, str):
        return tuple(value.replace(",", " ").split())
    if not isinstance(value, list | tuple) or not all(isinstance(word, str) for word in value):
        raise ValueError
    return tuple(value)


def show_seconds(seconds: float) -> str:
    """Write a duration in the largest units that divide it."""
    for unit in ("d", "h", "m"):
        if seconds >= _SECONDS[unit] and seconds % _SECONDS[unit] == 0:
            return f"{seconds / _SECONDS[unit]:g}{unit}"
    return f"{seconds:g}s"


def show_bytes(size: int) -> str:
    """Write a size in the largest unit that divides it."""
    for unit, factor in (("GiB", 1024**3), ("MiB", 1024**2), ("KiB", 1024)):
        if size >= factor and size % factor == 0:
            return f"{size // factor}{unit}"
    return f"{size}"


COUNT = Kind(read_count, "a positive whole number, such as 4")
NUMBER = Kind(read_number, "a whole number from 0 on, such as 3")
PORT = Kind(read_port, "a port, such as 8080")
SECONDS = Kind(
    read_seconds, "a positive number of seconds, or a duration such as 10m", show_seconds
)
BYTES = Kind(read_bytes, "a positive number of bytes, or a size such as 2MiB", show_bytes)
DAYS = Kind(
    read_days,
    "a number of days, or 'forever'",
    lambda days: "forever" if days is None else f"{days:g}d",
)
SWITCH = Kind(read_switch, "true or false", lambda on: "true" if on else "false")
TEXT = Kind(read_text, "a text that is not empty")
WORDS = Kind(read_words, "a list of texts", lambda words: ", ".join(words) or "none")


def choice(*names: str) -> Kind:
    """Make the kind of values of which there are only these."""

    def read(value: Any) -> str:
        if value not in names:
            raise ValueError
        return str(value)

    return Kind(read, " or ".join(f"'{name}'" for name in names))


def _parts(text: Any, units: dict[str, Any]) -> list[tuple[float, str]]:
    if not isinstance(text, str):
        raise ValueError
    parts, place = [], 0
    for match in _PART.finditer(text.strip()):
        if match.start() != place or match[2].lower() not in units:
            raise ValueError
        parts.append((float(match[1]), match[2].lower()))
        place = match.end()
    if not parts or place != len(text.strip()):
        raise ValueError
    return parts


def _number(value: Any) -> float | None:
    """Read a number without a unit; None for a text that is none."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, str):
        raise ValueError
    try:
        return float(value)
    except ValueError:
        return None


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError
    return int(value)


def _at_least(least: int, number: int) -> int:
    if number < least:
        raise ValueError
    return number
