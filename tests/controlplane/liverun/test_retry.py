"""When a failed try is followed by another one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from leoflow_controlplane.liverun.instance import Instance
from leoflow_controlplane.liverun.retry import retry_delay_seconds
from leoflow_controlplane.model import RunKey
from scene import task

KEY = RunKey("d", "r")


def delay(try_number: int, *, max_tries: int = 9, **fields: object) -> float:
    item = task("a", **{"retries": 9, **fields})
    return retry_delay_seconds(item, KEY, Instance("a", -1, "failed", try_number, max_tries))


def test_without_backoff_the_delay_is_the_one_that_was_declared() -> None:
    assert delay(5, retry_delay_seconds=7.5, max_retry_delay_seconds=1.0) == 7.5


@given(st.integers(1, 9), st.floats(0, 100))
def test_backoff_is_between_the_delay_doubled_each_time_and_twice_that(
    try_number: int, seconds: float
) -> None:
    least = max(1.0, seconds * 2 ** (try_number - 1))
    found = delay(try_number, retry_delay_seconds=seconds, retry_exponential_backoff=True)
    assert least <= found < 2 * (least + 1)


def test_backoff_is_the_same_whenever_it_is_asked_for() -> None:
    fields = {"retry_delay_seconds": 50.0, "retry_exponential_backoff": True}
    assert delay(3, **fields) == delay(3, **fields)
    assert delay(3, **fields) != delay(4, **fields)


@pytest.mark.parametrize("try_number", [20, 2000])
def test_backoff_is_never_more_than_a_day(try_number: int) -> None:
    fields = {"retry_delay_seconds": 60.0, "retry_exponential_backoff": True}
    assert delay(try_number, max_tries=3000, retries=3000, **fields) == 24 * 60 * 60


def test_backoff_is_never_more_than_the_declared_maximum() -> None:
    fields = {"retry_delay_seconds": 60.0, "retry_exponential_backoff": True}
    assert delay(5, max_retry_delay_seconds=90.0, **fields) == 90.0


def test_backoff_begins_anew_when_a_task_was_cleared() -> None:
    fields = {"retry_delay_seconds": 100.0, "retry_exponential_backoff": True}
    assert 100 <= delay(6, retries=2, max_tries=7, **fields) < 200
