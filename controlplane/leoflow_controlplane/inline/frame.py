"""What goes over the pipe between the control plane and the process of the inline calls: lists of
messages as JSON, each list behind its length. Pure; knows no message.
"""

from __future__ import annotations

import json
from typing import Any

FULL_BYTES = 2**18
_HEAD_BYTES = 4
# json.dumps() makes an encoder of its own for each call that has options.
_ENCODE = json.JSONEncoder(separators=(",", ":")).encode


class FrameInvalid(Exception):
    """What came is none of our frames; the text shows nothing of it."""


def encode(messages: list[Any]) -> bytes:
    """Write ``messages`` in as few frames as they fit in, at least one.

    A frame is full at ``FULL_BYTES``: one that is longer has a single message.
    """
    frames, texts, size = bytearray(), list[str](), 0
    for text in map(_ENCODE, messages):
        if texts and size + len(text) > FULL_BYTES:
            frames += _frame(texts)
            texts, size = [], 0
        texts.append(text)
        size += len(text) + 1
    if texts or not messages:
        frames += _frame(texts)
    return bytes(frames)


def _frame(texts: list[str]) -> bytes:
    text = f"[{','.join(texts)}]".encode()
    return len(text).to_bytes(_HEAD_BYTES, "big") + text


class Frames:
    """Finds the frames in what was read. ``limit`` is the most bytes that one may have."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._read = bytearray()

    def feed(self, data: bytes) -> list[Any]:
        """Take in ``data``, and give the messages of all frames that are complete by now.

        Raises FrameInvalid, and then is of no more use.
        """
        self._read += data
        messages: list[Any] = []
        begin = 0
        while (end := self._end(begin)) is not None:
            messages += _decode(self._read[begin + _HEAD_BYTES : end])
            begin = end
        del self._read[:begin]
        return messages

    def _end(self, begin: int) -> int | None:
        """Say where the frame ends that begins at ``begin``; None if that has not come yet."""
        if len(self._read) < begin + _HEAD_BYTES:
            return None
        length = int.from_bytes(self._read[begin : begin + _HEAD_BYTES], "big")
        if length > self._limit:
            raise FrameInvalid(
                f"it said {length} bytes at once, more than the limit, {self._limit}"
            )
        end = begin + _HEAD_BYTES + length
        return end if len(self._read) >= end else None


def _decode(text: bytearray) -> list[Any]:
    try:
        messages = json.loads(text)
    except ValueError:
        raise FrameInvalid("it said what is no JSON") from None
    if not isinstance(messages, list):
        raise FrameInvalid("it said what is no list of messages")
    return messages
