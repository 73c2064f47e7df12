"""What is tried again, how often, and how long that may take."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from leoflow_builder.registry.failure import GaveUp, Refused, Temporary
from leoflow_builder.registry.retry import Retry, RetryPolicy, retry_after_seconds
from registry_sample import Waits


def failing(times: int, after: float | None = None) -> Callable[[], str]:
    left = [times]

    def operation() -> str:
        if left[0]:
            left[0] -= 1
            raise Temporary("the registry is busy", after)
        return "done"

    return operation


def test_the_waits_double_up_to_the_longest() -> None:
    waits = Waits(longest_delay_seconds=3)
    assert waits.retry.run(failing(5)) == "done"
    assert waits.seconds == [0.25, 0.5, 1.0, 1.5, 1.5]


def test_it_gives_up_after_the_last_attempt() -> None:
    waits = Waits(attempts=3)
    with pytest.raises(GaveUp, match="the registry is busy\nGave up after 3 attempts"):
        waits.retry.run(failing(3))
    assert len(waits.seconds) == 2


def test_what_is_not_temporary_is_not_tried_again() -> None:
    def refuse() -> None:
        raise Refused("no")

    waits = Waits()
    with pytest.raises(Refused):
        waits.retry.run(refuse)
    assert waits.seconds == []


def test_the_registry_s_own_wish_counts() -> None:
    waits = Waits()
    waits.retry.run(failing(2, after=7.0))
    assert waits.seconds == [7.0, 7.0]


def test_the_budget_is_of_all_requests_together() -> None:
    waits = Waits(budget_seconds=10)
    waits.retry.run(failing(1, after=6.0))
    with pytest.raises(GaveUp, match="in 6 s, and of the 10 s for waiting 4 s are left"):
        waits.retry.run(failing(1, after=6.0))


@given(failures=st.integers(1, 1000), chance=st.floats(0, 1, exclude_max=True))
def test_a_wait_is_never_longer_than_the_longest(failures: int, chance: float) -> None:
    policy = RetryPolicy()
    delay = policy.delay_seconds(failures, chance)
    assert policy.first_delay_seconds / 2 <= delay <= policy.longest_delay_seconds


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("", None),
        ("5", 5.0),
        ("-5", 0.0),
        ("soon", None),
        ("9" * 400, None),
        ("Fri, 31 Dec 99999999999999999999 23:59:59 GMT", None),
        ("Thu, 01 Jan 1970 00:01:40 GMT", 60.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, expected: float | None) -> None:
    assert retry_after_seconds(header, now=40.0) == expected


def test_two_clients_do_not_wait_alike() -> None:
    seconds: list[float] = []
    retry = Retry(sleep=seconds.append)
    retry.run(failing(3))
    assert seconds != [0.25, 0.5, 1.0]
