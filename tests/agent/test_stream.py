"""What a task prints is copied as it is and logged in whole lines, characters and pieces."""

from __future__ import annotations

import json
import os
import select
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from leoflow_agent import stream as stream_module
from leoflow_agent.bash_output import LastLine
from leoflow_agent.echo import MAX_WAITING_BYTES, Echo
from leoflow_agent.outbox import Outbox
from leoflow_agent.stream import MAX_LINE_BYTES, STANDSTILL_SECONDS, Stream


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


@pytest.mark.parametrize(
    ("pieces", "last"),
    [
        ([b"one\ntwo\n"], b"two"),
        ([b"one\ntwo\n", b"three"], b"three"),
        ([b"one\n", b"\n", b"\n"], b"one"),
        ([b"one\ntw", b"o\n\n"], b"two"),
        ([b"", b"one"], b"one"),
        ([b"x" * 30_000, b"y" * 30_000, b"z\n"], b"x" * 30_000 + b"y" * 30_000 + b"z"),
        ([], b""),
    ],
)
def test_the_last_line_is_known_however_it_came(pipes, pieces, last):
    (reading, writing), (copy, copy_to) = pipes
    stream = Stream("stdout", reading, copy_to, Outbox())
    stream.last_line = LastLine(100_000)
    for piece in pieces:
        os.write(writing, piece)
        stream.read()
        stream.show_unfinished()
        os.read(copy, 100_000) if piece else None
    stream.finish()
    assert stream.last_line.text == last


def test_of_a_last_line_over_the_limit_only_that_it_is_too_long_is_kept(pipes):
    (reading, writing), (_, copy_to) = pipes
    stream = Stream("stdout", reading, copy_to, Outbox())
    stream.last_line = LastLine(10)
    os.write(writing, b"x" * 50_000)
    stream.finish()
    assert stream.last_line.text == b"x" * 11


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


def test_a_prompt_is_due_after_a_moment_and_its_character_is_not_cut(pipes):
    (reading, writing), (_, copy_to) = pipes
    outbox = Outbox()
    stream = Stream("stdout", reading, copy_to, outbox)
    os.write(writing, b"name? \xc3")
    before = time.monotonic()
    stream.read()
    assert before < stream.due_at <= time.monotonic() + stream_module.UNFINISHED_SECONDS
    stream.show_unfinished()
    assert stream.due_at == stream_module.NEVER
    os.write(writing, b"\xa9\n")
    stream.read()
    assert _texts(outbox) == ["name? ", "é\n"]
    assert stream.due_at == stream_module.NEVER


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text(max_size=40).map(str.encode) | st.binary(max_size=40), max_size=8))
def test_text_comes_out_as_if_it_had_come_in_one_piece(pieces):
    reading, writing = os.pipe()
    copy, copy_to = os.pipe()
    outbox = Outbox()
    stream = Stream("stdout", reading, copy_to, outbox)
    for piece in pieces:
        os.write(writing, piece)
        stream.read()
        if len(piece) % 2:
            stream.show_unfinished()
    stream.finish()
    whole = b"".join(pieces)
    assert "".join(_texts(outbox)) == whole.decode("utf-8", "replace")
    assert not whole or os.read(copy, 10_000) == whole
    for fd in (reading, writing, copy, copy_to):
        os.close(fd)


def test_an_orphan_that_writes_without_end_does_not_hold_up_the_end(pipes):
    (reading, _), _ = pipes
    outbox = Outbox()
    with Path(os.devnull).open("wb") as nowhere:
        orphan = subprocess.Popen(["yes"], stdout=pipes[0][1])
        stream = Stream("stdout", reading, nowhere.fileno(), outbox)
        select.select([reading], [], [], 10)
        stream.finish()
        orphan.kill()
        orphan.wait()
    assert outbox


def test_an_output_that_nobody_reads_blocks_nothing_and_what_it_misses_is_said(pipes):
    _, (reading, writing) = pipes
    copy = Echo(writing)
    sent = 0
    while len(copy.waiting) <= MAX_WAITING_BYTES:
        copy.write(b"a" * 65536)
        sent += 65536
    now = time.monotonic()
    assert copy.is_slow(now)
    assert not copy.is_slow(now + STANDSTILL_SECONDS)
    copy.write(b"lost")
    os.set_blocking(reading, False)
    seen = b""
    while copy.waiting:
        seen += os.read(reading, 1 << 20)
        copy.write()
    copy.write(b"again")
    seen += os.read(reading, 1 << 20)
    assert seen[:sent] == b"a" * sent
    assert seen[sent:].decode() == (
        "\nleoflow: 4 bytes are missing here, nobody read this output\nagain"
    )


def test_an_output_that_is_closed_is_no_failure(pipes):
    reading, writing = os.pipe()
    os.close(reading)
    copy = Echo(writing)
    copy.write(b"x")
    copy.write(b"y")
    assert not copy.waiting
    os.close(writing)
    Echo(writing).write(b"x")
