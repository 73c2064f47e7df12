"""Kubernetes quantities."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from leoflow_builder.quantity import (
    format_cpu,
    format_memory,
    parse_cpu_millis,
    parse_memory_bytes,
)


@pytest.mark.parametrize(
    ("text", "millis"),
    [
        ("250m", 250), ("0.5", 500), (0.5, 500), (1, 1000), ("2", 2000), (".25", 250),
        ("1.", 1000), ("0.0001", 1), ("1k", 1_000_000), ("1e1", 10_000), (0.1, 100),
        ("100.5m", 101),
    ],
)  # fmt: skip
def test_cpu(text: str | float, millis: int) -> None:
    assert parse_cpu_millis(text) == millis


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [
        ("256Mi", 256 * 2**20), ("1G", 10**9), ("1Gi", 2**30), (1048576, 2**20), ("1.5Ki", 1536),
        ("64k", 64000), ("2E", 2 * 10**18), ("12e6", 12_000_000), ("1Ti", 2**40), ("0.3", 1),
    ],
)  # fmt: skip
def test_memory(text: str | int, size_bytes: int) -> None:
    assert parse_memory_bytes(text) == size_bytes


@pytest.mark.parametrize(
    "text",
    ["", "250mi", "1 core", "-1", "m", "1K", "0x10", "1e", "0", 0, "0m", True, "٣", "1e99999"],
)
def test_what_is_no_cpu_is_refused(text: str | int) -> None:
    with pytest.raises(ValueError, match=r"quantity|more than zero|out of range"):
        parse_cpu_millis(text)


@pytest.mark.parametrize("text", ["256MB", "256mb", "1GiB", "10Ei", "0", -5, "1ki", "1 Gi"])
def test_what_is_no_memory_is_refused(text: str | int) -> None:
    with pytest.raises(ValueError, match=r"quantity|more than zero|out of range"):
        parse_memory_bytes(text)


def test_thousandths_of_a_byte_are_taken_for_the_slip_that_they_are() -> None:
    with pytest.raises(ValueError, match="for mebibytes write 256Mi"):
        parse_memory_bytes("256m")


@given(st.integers(1, 2**60))
def test_a_formatted_amount_is_parsed_to_itself(amount: int) -> None:
    assert parse_cpu_millis(format_cpu(amount)) == amount
    assert parse_memory_bytes(format_memory(amount)) == amount


@given(st.integers(1, 10**6), st.sampled_from(["m", "", "k", "M"]))
def test_a_larger_number_is_a_larger_amount(number: int, suffix: str) -> None:
    assert parse_cpu_millis(f"{number}{suffix}") < parse_cpu_millis(f"{number + 1}{suffix}")


@given(st.text(max_size=8))
def test_any_text_is_an_amount_or_a_value_error(text: str) -> None:
    try:
        amount = parse_memory_bytes(text)
    except ValueError:
        return
    assert 1 <= amount < 2**63
