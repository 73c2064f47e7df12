"""What the log lines of the present asyncio task are about, and how lines may look. Light:
`leoflow run` loads it too, and most of what is noted is never logged, so it is put together late.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Literal

from leoflow_controlplane.model import NOT_MAPPED, RunKey, TryKey

LogFormat = Literal["console", "json"]
LogLevel = Literal["debug", "info", "warning", "error"]


class about:  # noqa: N801 (a context manager: as a generator it would take several times as long)
    """Have each line that is logged inside name a run or a try, and ``more`` (a request_id)."""

    __slots__ = ("_around", "_more", "_subject", "_token")

    def __init__(self, subject: RunKey | TryKey | None = None, **more: str | int) -> None:
        self._subject = subject
        self._more = more

    def __enter__(self) -> None:
        self._around = _CURRENT.get()
        self._token: Token[about | None] = _CURRENT.set(self)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        _CURRENT.reset(self._token)

    def tell(self) -> dict[str, str | int]:
        """Give what lines are about inside, that of what it is within included."""
        ids: dict[str, str | int] = {} if self._subject is None else self._subject._asdict()
        if ids.get("map_index") == NOT_MAPPED:
            del ids["map_index"]
        around = {} if self._around is None else self._around.tell()
        return {**around, **ids, **self._more}


_CURRENT: ContextVar[about | None] = ContextVar("leoflow_log_context", default=None)


def current_context() -> Mapping[str, str | int]:
    """Give what lines are about now."""
    current = _CURRENT.get()
    return {} if current is None else current.tell()
