"""A run's trace goes on in its tries."""

from __future__ import annotations

import pytest
from leoflow_controlplane.model import TryKey
from leoflow_controlplane.traceparent import continue_trace, read_traceparent

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
KEY = TryKey("d", "r", "t", -1, 1)


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        (PARENT, True),
        (f" {PARENT}\n", True),
        (PARENT.replace("00-", "cc-", 1) + "-what-the-future-will-bring", True),
        (None, False),
        ("", False),
        (PARENT.upper(), False),
        (PARENT + "-more", False),
        (PARENT.replace("00-", "ff-", 1), False),
        ("00-" + "0" * 32 + "-00f067aa0ba902b7-01", False),
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-" + "0" * 16 + "-01", False),
        ("00-4bf92f-00f067aa0ba902b7-01", False),
    ],
)
def test_what_is_invalid_is_ignored(text: str | None, valid: bool) -> None:
    assert (read_traceparent(text) is not None) == valid


def test_a_try_has_the_trace_and_a_span_of_its_own() -> None:
    child = continue_trace(PARENT, KEY)
    version, trace_id, span_id, flags = child.split("-")
    assert (version, trace_id, flags) == ("00", PARENT.split("-")[1], "01")
    assert span_id != PARENT.split("-")[2]
    assert read_traceparent(child) == child


def test_the_same_try_has_the_same_span_and_another_try_another_one() -> None:
    assert continue_trace(PARENT, KEY) == continue_trace(PARENT, KEY)
    spans = {continue_trace(PARENT, KEY._replace(try_number=n)) for n in range(1, 5)}
    assert len(spans) == 4
