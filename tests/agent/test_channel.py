"""The channel understands a good answer in any slicing, and no bad answer holds it up."""

from __future__ import annotations

import contextlib
import itertools
import select
import socket
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from leoflow_agent import channel as channel_module
from leoflow_agent.channel import Channel, ChannelError

GOOD = b"HTTP/1.1 200 OK\r\nserver: x\r\nContent-Length: 5\r\n\r\nhello"


class Server:
    """Answers each connection with ``pieces``, then closes it."""

    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = pieces
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.received = b""
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Server:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            self.received = connection.recv(65536)
            for piece in self._pieces:
                connection.sendall(piece)


def _exchange(channel: Channel) -> tuple[int, bytes]:
    channel.request("POST", "/path", 0.0, '{"a":1}')
    for _ in range(1000):
        poll = select.poll()
        poll.register(*channel.interest())
        poll.poll(1000)
        answer = channel.advance()
        if answer is not None:
            channel.close()
            return answer
    raise AssertionError("the channel never came to an end")


def test_a_request_carries_method_path_token_and_body():
    with Server([GOOD]) as server:
        assert _exchange(Channel(server.endpoint, "tok")) == (200, b"hello")
    assert server.received.startswith(b"POST /path HTTP/1.1\r\n")
    assert b"\r\nAuthorization: Bearer tok\r\n" in server.received
    assert server.received.endswith(b'\r\nContent-Length: 7\r\n\r\n{"a":1}')


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, len(GOOD) - 1), max_size=5, unique=True).map(sorted))
def test_an_answer_may_come_in_any_pieces(cuts):
    bounds = [0, *cuts, len(GOOD)]
    pieces = [GOOD[a:b] for a, b in itertools.pairwise(bounds)]
    with Server(pieces) as server:
        assert _exchange(Channel(server.endpoint, "t")) == (200, b"hello")


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\n\r\nno length",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
        b"HTTP/1.1 abc OK\r\nContent-Length: 0\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"\x16\x03\x01\x00\x05\r\n\r\n",
        b"x" * 200_000,
    ],
    ids=range(9),
)
def test_a_bad_answer_is_an_error_and_frees_the_channel(answer):
    with Server([answer]) as server:
        channel = Channel(server.endpoint, "t")
        with pytest.raises(ChannelError):
            _exchange(channel)
    assert not channel.busy


@settings(max_examples=30, deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_whatever_hang_or_crash_it(noise):
    with Server([noise]) as server:
        channel = Channel(server.endpoint, "t")
        with contextlib.suppress(ChannelError):
            _exchange(channel)
        channel.close()
    assert not channel.busy


def test_nobody_listening_is_an_error(tmp_path):
    channel = Channel(f"unix:{tmp_path}/none.sock", "t")
    with pytest.raises(ChannelError, match="No such file"):
        channel.request("GET", "/", 0.0)
    assert not channel.busy


def test_an_overdue_answer_is_an_error(monkeypatch):
    monkeypatch.setattr(channel_module, "ANSWER_TIMEOUT_SECONDS", -1.0)
    with Server([]) as server:
        channel = Channel(server.endpoint, "t")
        channel.request("GET", "/", 0.0)
        with pytest.raises(ChannelError, match="no answer within"):
            channel.check_deadline()
