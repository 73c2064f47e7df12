"""What an answer of an API server means."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from leoflow_controlplane.executor.cluster.fault import (
    AlreadyThere,
    Away,
    Broken,
    CallFailed,
    Forbidden,
    Gone,
    NotThere,
    QuotaExceeded,
    Refused,
    Throttled,
    Unauthorized,
    fault_of,
    fault_of_event,
)


def status(message: str, reason: str = "", **details: Any) -> bytes:
    """Write a Status as an API server does."""
    said = {"kind": "Status", "message": message, "reason": reason, "details": details}
    return json.dumps(said).encode()


QUOTA = 'pods "p" is forbidden: exceeded quota: q, requested: pods=1, used: pods=9, limited: pods=9'
CONFLICT = 'Operation cannot be fulfilled on resourcequotas "q": the object has been modified'


BY_WEBHOOK = 'admission webhook "deny.example.com" denied the request: not on a Friday'
BY_POLICY = (
    "pods \"p\" is forbidden: ValidatingAdmissionPolicy 'freeze' with binding 'all' denied "
    "request: not on a Friday"
)


@pytest.mark.parametrize(
    ("code", "body", "kind", "words"),
    [
        (401, status("Unauthorized"), Unauthorized, "Unauthorized"),
        (403, status(QUOTA, "Forbidden"), QuotaExceeded, QUOTA),
        (403, status("violates PodSecurity", "Forbidden"), Forbidden, "violates PodSecurity"),
        (404, status('namespaces "x" not found', "NotFound"), NotThere, 'namespaces "x" not found'),
        (409, status('pods "p" already exists', "AlreadyExists"), AlreadyThere, "already exists"),
        (409, status(CONFLICT, "Conflict"), Throttled, CONFLICT),
        (404, status(BY_WEBHOOK, "NotFound"), Refused, "not on a Friday"),
        (409, status(BY_WEBHOOK, "Conflict"), Refused, "not on a Friday"),
        (401, status(BY_POLICY, "Unauthorized"), Refused, "not on a Friday"),
        (410, status("too old resource version", "Expired"), Gone, "too old"),
        (422, status('Pod "p" is invalid: spec', "Invalid"), Refused, "is invalid"),
        (429, status("too many requests", "TooManyRequests"), Throttled, "too many requests"),
        (500, status("failed calling webhook", "InternalError"), Broken, "failed calling webhook"),
        (500, status("try again", "ServerTimeout", retryAfterSeconds=3), Throttled, "try again"),
        (502, b"<html>Bad Gateway</html>", Away, "HTTP status 502: <html>Bad Gateway</html>"),
        (503, status("apiserver is shutting down"), Away, "apiserver is shutting down"),
        (500, b"", Away, "HTTP status 500"),
    ],
)
def test_an_answer_is_read_by_its_status_and_reason(
    code: int, body: bytes, kind: type[CallFailed], words: str
) -> None:
    fault = fault_of(code, body)
    assert type(fault) is kind
    assert words in fault.words


@pytest.mark.parametrize(
    ("details", "header", "seconds"),
    [({"retryAfterSeconds": 7}, "3", 7.0), ({}, "3", 3.0), ({}, None, 1.0), ({}, "soon", 1.0)],
)
def test_a_server_says_how_long_to_wait(
    details: dict[str, Any], header: str | None, seconds: float
) -> None:
    fault = fault_of(429, status("busy", **details), header)
    assert isinstance(fault, Throttled)
    assert fault.seconds == seconds


def test_an_error_in_a_watch_is_read_alike() -> None:
    told = {"code": 410, "message": "too old resource version: 1 (9)", "reason": "Expired"}
    assert type(fault_of_event(told)) is Gone
    assert type(fault_of_event({})) is Broken


@given(st.integers(400, 599), st.binary(max_size=40))
def test_whatever_is_answered_means_something(code: int, body: bytes) -> None:
    assert fault_of(code, body).words
