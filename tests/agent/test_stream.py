"""What a task prints is copied as it is and logged in whole lines."""

from __future__ import annotations

import json
import os

import pytest
from leoflow_agent.outbox import Outbox
from leoflow_agent.stream import MAX_LINE_BYTES, Stream


@pytest.fixture
def pipes():
    pairs = [os.pipe(), os.pipe()]
    yield pairs
    for fd in [fd for pair in pairs for fd in pair]:
        os.close(fd)


def _texts(outbox):
    return [event["text"] for event in json.loads(outbox.batch())]


def test_lines_are_logged_whole_and_the_rest_at_the_end(pipes):
    (reading, writing), (copy, copy_to) = pipes
    outbox = Outbox()
    stream = Stream("stdout", reading, copy_to, outbox)
    os.write(writing, b"one\ntwo\nthr")
    assert stream.read() is True
    assert _texts(outbox) == ["one\ntwo\n"]
    os.write(writing, "é".encode())
    stream.finish()
    assert _texts(outbox) == ["one\ntwo\n", "thré"]
    assert os.read(copy, 100).decode() == "one\ntwo\nthré"


def test_the_last_line_is_known_with_and_without_an_end(pipes):
    (reading, writing), (_, copy_to) = pipes
    stream = Stream("stdout", reading, copy_to, Outbox())
    os.write(writing, b"one\ntwo\n")
    stream.finish()
    assert stream.last_line == b"two"
    os.write(writing, b"three")
    stream.finish()
    assert stream.last_line == b"three"


def test_nothing_to_read_is_not_the_end(pipes):
    (reading, _), (_, copy_to) = pipes
    assert Stream("stdout", reading, copy_to, Outbox()).read() is None


def test_a_line_that_does_not_end_is_logged_in_pieces(pipes):
    (reading, writing), (_, copy_to) = pipes
    outbox = Outbox()
    stream = Stream("stdout", reading, copy_to, outbox)
    os.write(writing, b"x" * (MAX_LINE_BYTES + 1))
    stream.read()
    assert _texts(outbox) == ["x" * (MAX_LINE_BYTES + 1)]
