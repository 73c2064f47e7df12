"""Where the log lines of ``leoflow server`` go and how they look: as JSON, or for people.

The package logs by the standard library. All of it, uvicorn's lines too, leaves through one
handler, which names what a line is about and takes out what looks like a credential.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Sequence
from typing import IO, Any

import structlog
from structlog.typing import EventDict, Processor

from leoflow_controlplane.logcontext import LogFormat, LogLevel, current_context

_UVICORN = ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi")
_MASK = "***"
_CREDENTIALS = (
    # A name and password in a URL, what follows an authentication scheme, a signed token, a secret
    # of webhooks, and what is named like one.
    (re.compile(r"(\w://)[^\s/@'\"]+@"), rf"\1{_MASK}@"),
    (re.compile(r"\b(Bearer|Basic)\s+[\w.~+/=-]{4,}", re.IGNORECASE), rf"\1 {_MASK}"),
    (re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*"), _MASK),
    (re.compile(r"\bwhsec_[\w+/=-]+"), _MASK),
    (
        re.compile(
            r"\b((?:AIRFLOW_(?:CONN|VAR)_\w+)|(?:\w*(?:password|passwd|secret|token|api_?key)))"
            r"(['\"]?\s*[=:]\s*)('[^']*'|\"[^\"]*\"|[^\s,;&]+)",
            re.IGNORECASE,
        ),
        rf"\1\2{_MASK}",
    ),
)


def set_up_logging(
    form: LogFormat = "console", level: LogLevel = "info", stream: IO[str] | None = None
) -> None:
    """Send all log lines to ``stream`` (stderr). Libraries are heard from warnings on."""
    target = stream or sys.stderr
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=_finish(form, target), foreign_pre_chain=[*_describe()]
        )
    )
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("leoflow").setLevel(level.upper())
    for name in _UVICORN:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True


def hide_credentials(text: str) -> str:
    """Return ``text`` with *** in place of what looks like a credential."""
    for pattern, replacement in _CREDENTIALS:
        text = pattern.sub(replacement, text)
    return text


def _describe() -> Sequence[Processor]:
    return (
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _name_subject,
    )


def _finish(form: LogFormat, stream: IO[str]) -> Sequence[Processor]:
    renderer: Processor = structlog.processors.JSONRenderer(ensure_ascii=False)
    if form == "console":
        renderer = structlog.dev.ConsoleRenderer(colors=stream.isatty())
    return (
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        # As text: structlog's own ways show the values of local variables.
        structlog.processors.format_exc_info,
        _hide,
        renderer,
    )


def _name_subject(_logger: Any, _method: str, event: EventDict) -> EventDict:
    return {**event, **current_context()}


def _hide(_logger: Any, _method: str, event: EventDict) -> EventDict:
    return {
        name: hide_credentials(value) if isinstance(value, str) else value
        for name, value in event.items()
    }
