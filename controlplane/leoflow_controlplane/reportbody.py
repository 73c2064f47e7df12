"""What a report must look like: `wire.Report`, checked. Decides nothing about what it says."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal, NotRequired

from leoflow_agent.wire import PROTOCOL, Report
from pydantic import Field, TypeAdapter, ValidationError

# pydantic reads a TypedDict of typing_extensions only, where this is not Python 3.12.
from typing_extensions import TypedDict

# What an integer column holds.
LARGEST = 2**31 - 1
Instant = Annotated[float, Field(allow_inf_nan=False)]

_TEXTS = ("text", "reason", "key")


class EventBody(TypedDict):
    """``wire.Event`` as it is checked. Keys that this version does not know are left out."""

    seq: Annotated[int, Field(ge=1, le=LARGEST)]
    at: Instant
    type: Literal["started", "entered", "log", "xcom", "heartbeat", "finished"]
    agent_up: NotRequired[Instant]
    import_started: NotRequired[Instant]
    entered: NotRequired[Instant]
    stream: NotRequired[Literal["stdout", "stderr"]]
    text: NotRequired[str]
    key: NotRequired[str]
    value: NotRequired[Any]
    state: NotRequired[Literal["success", "failed", "skipped"]]
    reason: NotRequired[str | None]
    exit_code: NotRequired[Annotated[int, Field(ge=-LARGEST, le=LARGEST)]]
    left: NotRequired[Instant | None]
    retryable: NotRequired[bool]


class ReportBody(TypedDict):
    """``wire.Report`` as it is checked."""

    protocol: int
    nonce: Annotated[str, Field(min_length=1, max_length=200)]
    events: list[EventBody]


class UnknownProtocol(Exception):
    """A report is of another version than ours; its text is the version."""


# The validator itself: what the adapter puts around a call of it takes as long as the check.
_REPORT = TypeAdapter(ReportBody).validator


def parse_report(body: bytes) -> Report:
    """Check a report; ValidationError with the place of what is wrong, ValueError for what is no
    JSON, UnknownProtocol for another version's."""
    try:
        report: Any = _REPORT.validate_json(body)
    except ValidationError:
        report = _parse_with_care(body)
    if report["protocol"] != PROTOCOL:
        raise UnknownProtocol(report["protocol"])
    if b"\\u0000" in body:
        _make_storable(report)
    return report  # type: ignore[no-any-return]


def _parse_with_care(body: bytes) -> ReportBody:
    """Read what the quick parser does not take: deep values, and halves of surrogate pairs, which
    JSON can spell and UTF-8 cannot. What is wrong is found again."""
    document = json.loads(body)
    protocol = document.get("protocol") if isinstance(document, dict) else None
    if protocol != PROTOCOL and isinstance(protocol, int):
        raise UnknownProtocol(protocol)
    report: ReportBody = _REPORT.validate_python(document)
    _make_storable(report)
    return report


def _make_storable(report: ReportBody) -> None:
    """Replace what is no UTF-8, and the character that PostgreSQL has no place for."""
    report["nonce"] = _storable(report["nonce"])
    for event in report["events"]:
        for name in _TEXTS:
            if isinstance(event.get(name), str):
                event[name] = _storable(event[name])  # type: ignore[literal-required]


def _storable(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "\ufffd")
