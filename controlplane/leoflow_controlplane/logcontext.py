"""What the log lines of the present asyncio task are about, and how lines may look. Light:
`leoflow run` loads it too.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Literal, NamedTuple

from leoflow_controlplane.model import NOT_MAPPED, RunKey, TryKey

LogFormat = Literal["console", "json"]
LogLevel = Literal["debug", "info", "warning", "error"]

_NOTHING: Mapping[str, str | int] = {}


class _Place(NamedTuple):
    """What lines are about, and what they were about around it. Most say nothing, so that it is
    put into words when there is a line."""

    around: _Place | None
    subject: RunKey | TryKey | None
    more: Mapping[str, str | int]


_CURRENT: ContextVar[_Place | None] = ContextVar("leoflow_log_context", default=None)


class _About:
    def __init__(self, subject: RunKey | TryKey | None, more: Mapping[str, str | int]) -> None:
        self._subject = subject
        self._more = more

    def __enter__(self) -> None:
        self._token = _CURRENT.set(_Place(_CURRENT.get(), self._subject, self._more))

    def __exit__(self, *_: object) -> None:
        _CURRENT.reset(self._token)


def about(subject: RunKey | TryKey | None = None, **more: str | int) -> _About:
    """Have each line that is logged inside name a run or a try, and ``more`` (a request_id)."""
    return _About(subject, more)


def current_context() -> Mapping[str, str | int]:
    """Give what lines are about now."""
    place = _CURRENT.get()
    return _NOTHING if place is None else _describe(place)


def _describe(place: _Place) -> dict[str, str | int]:
    found = {} if place.around is None else _describe(place.around)
    if place.subject is not None:
        ids = place.subject._asdict()
        if ids.get("map_index") == NOT_MAPPED:
            del ids["map_index"]
        found.update(ids)
    found.update(place.more)
    return found
