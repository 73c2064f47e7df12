"""What an API server that refuses or does not answer means. Pure: talks to no server."""

from __future__ import annotations

import json
import re
from typing import Any

from leoflow_controlplane.error import ControlPlaneError

MAX_WORDS = 2000
# What the API server says where an admission said no, with whatever status that has chosen
# (plugin/webhook/errors/statuserror.go, plugin/policy/validating/dispatcher.go).
_DENIED = re.compile(
    """^admission webhook ".*" denied the request|ValidatingAdmissionPolicy '.*' denied request"""
)


class CallFailed(ControlPlaneError):
    """A call of the API server did not do what was asked for; the text is the cluster's own."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words = words


class Away(CallFailed):
    """The API server did not answer, or something before it did. It may have done the call."""


class Throttled(Away):
    """The API server is too busy, and has not done the call. ``seconds`` is what it asks for."""

    def __init__(self, words: str, seconds: float) -> None:
        super().__init__(words)
        self.seconds = seconds


class Unauthorized(Away):
    """The API server does not take our credentials, and has not done the call; they may be
    renewed."""


class Broken(CallFailed):
    """The API server failed at a call, such as when an admission webhook or etcd does; it may do it
    the next time, and may have done it."""


class Refused(CallFailed):
    """The API server will not do a call, however often it is asked."""


class Forbidden(Refused):
    """We may not do that, or an admission does not have it."""


class QuotaExceeded(Refused):
    """A quota of the namespace is used up; that may change."""


class AlreadyThere(Refused):
    """What was to be created exists."""


class NotThere(Refused):
    """What was asked for does not exist."""


class Moved(Refused):
    """What was to be deleted is not what was seen: it has changed since, or is another one."""


class Gone(Refused):
    """A resourceVersion or a page's token is too old: a list has to be begun from the start."""


def fault_of(status: int, body: bytes, retry_after: str | None = None) -> CallFailed:
    """Tell what an answer that is not a success means. Source: the API conventions, "Response
    Status Kind"."""
    said = _read_status(body)
    words = _words(said, status, body)
    reason, wait = said.get("reason"), _wait(said, retry_after)
    if status in (401, 404, 409) and _DENIED.search(words):
        return Refused(words)
    if status == 401:
        return Unauthorized(words)
    if status == 429 or (wait is not None and status >= 500):
        return Throttled(words, wait or 1.0)
    if status >= 500:
        return Broken(words) if status == 500 and said else Away(words)
    if status == 409:
        # A quota that many creations change at once is a conflict, and no word on what was asked.
        return AlreadyThere(words) if reason == "AlreadyExists" else Throttled(words, 0.1)
    if status == 403 and "exceeded quota" in words:
        return QuotaExceeded(words)
    return {403: Forbidden, 404: NotThere, 410: Gone}.get(status, Refused)(words)


def fault_of_event(status: dict[str, Any]) -> CallFailed:
    """Tell what an ERROR in a watch means."""
    code = status.get("code") or 500
    return fault_of(code, json.dumps({"kind": "Status", **status}).encode())


def _read_status(body: bytes) -> dict[str, Any]:
    try:
        said = json.loads(body)
    except ValueError:
        return {}
    return said if isinstance(said, dict) and said.get("kind") == "Status" else {}


def _words(said: dict[str, Any], status: int, body: bytes) -> str:
    if message := said.get("message"):
        return str(message)[:MAX_WORDS]
    text = body.decode("utf-8", "replace").strip()[:200]
    return f"HTTP status {status}: {text}" if text else f"HTTP status {status}"


def _wait(said: dict[str, Any], retry_after: str | None) -> float | None:
    details = said.get("details")
    seconds = details.get("retryAfterSeconds") if isinstance(details, dict) else None
    for value in (seconds, retry_after):
        try:
            if value:
                return float(value)
        except (TypeError, ValueError):
            continue
    return None
