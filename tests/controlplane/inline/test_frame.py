"""The frames of the pipe: whole however they come, and refused if they are none."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from leoflow_controlplane.inline.frame import FULL_BYTES, FrameInvalid, Frames, encode

MESSAGES = st.lists(st.lists(st.text() | st.integers() | st.none()), max_size=4)


@given(st.lists(MESSAGES, max_size=4), st.integers(1, 20))
def test_frames_are_found_wherever_they_are_cut(said: list[list[Any]], size: int) -> None:
    data = b"".join(map(encode, said))
    frames = Frames(10_000)
    found: list[Any] = []
    for begin in range(0, len(data), size):
        found += frames.feed(data[begin : begin + size])
    assert found == [message for messages in said for message in messages]


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"HTTP/1.1 400 Bad Request", "more than the limit, 100"),
        (b"\0\0\0\x03{}]", "no JSON"),
        (b"\0\0\0\x02\xff\xff", "no JSON"),
        (b"\0\0\0\x02{}", "no list"),
    ],
)
def test_what_is_no_frame_is_refused_and_not_shown(data: bytes, text: str) -> None:
    with pytest.raises(FrameInvalid, match=text):
        Frames(100).feed(data)


@given(st.lists(st.integers(0, FULL_BYTES // 2), max_size=6))
def test_what_is_much_goes_in_several_frames(sizes: list[int]) -> None:
    messages = [["x" * size] for size in sizes]
    assert Frames(FULL_BYTES + 2).feed(encode(messages)) == messages


def test_a_frame_that_says_to_be_long_is_not_waited_for() -> None:
    with pytest.raises(FrameInvalid):
        Frames(100).feed(b"\0\0\0\x65")
