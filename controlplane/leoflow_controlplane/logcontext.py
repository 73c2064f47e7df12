"""What the log lines of the present asyncio task are about, and how lines may look. Light:
`leoflow run` loads it too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal

from leoflow_controlplane.model import NOT_MAPPED, RunKey, TryKey

LogFormat = Literal["console", "json"]
LogLevel = Literal["debug", "info", "warning", "error"]

_CURRENT: ContextVar[Mapping[str, str | int]] = ContextVar("leoflow_log_context")
_NOTHING: Mapping[str, str | int] = {}


@contextmanager
def about(subject: RunKey | TryKey | None = None, **more: str | int) -> Iterator[None]:
    """Have each line that is logged inside name a run or a try, and ``more`` (a request_id)."""
    ids: dict[str, str | int] = {} if subject is None else dict(subject._asdict())
    if ids.get("map_index") == NOT_MAPPED:
        del ids["map_index"]
    token = _CURRENT.set({**_CURRENT.get(_NOTHING), **ids, **more})
    try:
        yield
    finally:
        _CURRENT.reset(token)


def current_context() -> Mapping[str, str | int]:
    """Give what lines are about now."""
    return _CURRENT.get(_NOTHING)
