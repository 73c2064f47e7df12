"""The channel understands a good answer in any slicing, and no bad answer holds it up."""

from __future__ import annotations

import contextlib
import itertools
import select
import socket
import time

import pytest
from answering import Server, exchange, fails, ok
from hypothesis import given, settings
from hypothesis import strategies as st
from leoflow_agent import channel as channel_module
from leoflow_agent import resolver
from leoflow_agent.channel import Channel, ChannelError

GOOD = b"HTTP/1.1 200 OK\r\nserver: x\r\nContent-Length: 5\r\n\r\nhello"


def test_a_request_carries_method_path_host_token_and_body():
    with Server([GOOD]) as server:
        assert exchange(Channel(server.endpoint, "tok")) == (200, b"hello")
    assert server.received.startswith(b"POST /path HTTP/1.1\r\n")
    assert f"\r\nHost: {server.endpoint[7:]}\r\n".encode() in server.received
    assert b"\r\nAuthorization: Bearer tok\r\n" in server.received
    assert server.received.endswith(b'\r\nContent-Length: 7\r\n\r\n{"a":1}')


@settings(max_examples=20)
@given(st.lists(st.integers(1, len(GOOD) - 1), max_size=5, unique=True).map(sorted))
def test_an_answer_may_come_in_any_pieces(cuts):
    bounds = [0, *cuts, len(GOOD)]
    pieces = [GOOD[a:b] for a, b in itertools.pairwise(bounds)]
    with Server(pieces) as server:
        assert exchange(Channel(server.endpoint, "t")) == (200, b"hello")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"HTTP/1.1 100 Continue\r\n\r\n" + GOOD, (200, b"hello")),
        (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" * 3 + GOOD, (200, b"hello")),
        (b"HTTP/1.1 204 No Content\r\n\r\n", (204, b"")),
        (b"HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", (302, b"")),
        (b"HTTP/1.1 500 Oops\r\nContent-Length: 2\r\n\r\nno", (500, b"no")),
        (
            b"HTTP/1.1 409 Conflict\r\nLeoflow-Protocol: 1\r\nContent-Length: 4\r\n\r\nover",
            (409, b"over"),
        ),
    ],
)
def test_other_answers_are_told_as_they_are(answer, expected):
    with Server([answer]) as server:
        assert exchange(Channel(server.endpoint, "t")) == expected


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\n\r\nno length",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nContent-Length: \xb2\r\n\r\nx",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        b"HTTP/1.1 abc OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"\x16\x03\x01\x00\x05\r\n\r\n",
        b"x" * 200_000,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 20_000,
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n",
    ],
    ids=range(17),
)
def test_a_bad_answer_is_an_error_and_frees_the_channel(answer):
    with Server([answer]) as server:
        assert fails(Channel(server.endpoint, "t"))


def test_a_refusal_that_is_not_the_control_planes_is_said():
    with Server([b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"]) as server:
        text = fails(Channel(server.endpoint, "t"))
    assert text == "it answered with 404, and not as a control plane does"


@settings(max_examples=40)
@given(st.integers(0, len(GOOD) - 1), st.booleans())
def test_a_connection_that_breaks_at_any_byte_is_an_error(size, reset):
    with Server([GOOD[:size]], reset=reset) as server:
        assert fails(Channel(server.endpoint, "t"))


@settings(max_examples=40)
@given(
    st.binary(max_size=300)
    | st.builds(lambda a, b: GOOD[:a] + b + GOOD[a:], st.integers(0, 50), st.binary(max_size=9))
    | st.builds(lambda a, b: GOOD[:a] + GOOD[a + b :], st.integers(0, 50), st.integers(1, 9))
)
def test_no_bytes_whatever_hang_or_crash_it(noise):
    with Server([noise]) as server:
        channel = Channel(server.endpoint, "t")
        with contextlib.suppress(ChannelError):
            exchange(channel)
        channel.close()
    assert not channel.busy


def test_an_answer_that_trickles_has_one_deadline_for_all_of_it(monkeypatch):
    monkeypatch.setattr(channel_module, "ANSWER_TIMEOUT_SECONDS", 0.5)
    began = time.monotonic()
    with Server([GOOD[i : i + 1] for i in range(len(GOOD))], pause=0.1) as server:
        assert fails(Channel(server.endpoint, "t")) == "no answer within 0.5 s"
    assert time.monotonic() - began < 20


def test_a_connection_is_used_again_and_not_after_news_on_it():
    with socket.create_server(("127.0.0.1", 0)) as listener, contextlib.ExitStack() as stack:
        channel = Channel(f"http://127.0.0.1:{listener.getsockname()[1]}", "t")
        stack.callback(channel.close)
        first = _accept(channel, listener, stack)
        assert _answer(channel, first) == b"{}"
        channel.request("GET", "/", 0.0)
        assert _answer(channel, first) == b"{}"
        first.sendall(b"HTTP/1.1 408 Timeout\r\n\r\n")
        time.sleep(0.05)
        assert _answer(channel, _accept(channel, listener, stack)) == b"{}"


def _accept(channel, listener, stack):
    channel.request("GET", "/", 0.0)
    listener.settimeout(5)
    return stack.enter_context(listener.accept()[0])


def _answer(channel, connection):
    while channel.interest()[1] & select.POLLOUT:
        channel.advance()
    connection.recv(1000)
    connection.sendall(ok(b"{}"))
    time.sleep(0.05)
    return channel.advance()[1]


def test_more_than_the_answer_ends_the_connection():
    with Server([GOOD + b"more"]) as server:
        channel = Channel(server.endpoint, "t")
        assert exchange(channel) == (200, b"hello")
        assert exchange(channel) == (200, b"hello")


def test_nobody_listening_is_an_error(tmp_path):
    channel = Channel(f"unix:{tmp_path}/none.sock", "t")
    with pytest.raises(ChannelError, match="No such file"):
        channel.request("GET", "/", 0.0)
    assert not channel.busy


@pytest.mark.parametrize("endpoint", ["ftp://h:1", "http://h:port", "http://127.0.0.1", "", "x"])
def test_an_endpoint_of_no_use_is_an_error(endpoint):
    with pytest.raises(ChannelError):
        Channel(endpoint, "t").request("GET", "/", 0.0)


def test_a_name_is_looked_up_beside_the_loop():
    with Server([GOOD]) as server:
        channel = Channel(server.endpoint.replace("127.0.0.1", "localhost"), "t")
        for _ in range(3):
            try:
                assert exchange(channel) == (200, b"hello")
                break
            except ChannelError:
                # The name may have an address of IPv6 first, at which nobody listens.
                continue
        else:
            raise AssertionError("none of the name's addresses was tried")


def test_a_name_that_is_not_found_is_said():
    text = fails(Channel("http://nowhere.invalid:80", "t"))
    assert text.startswith("the name 'nowhere.invalid' is not found: ")


def test_a_look_up_that_hangs_holds_nothing_up(monkeypatch):
    monkeypatch.setattr(resolver, "_find", lambda *_: time.sleep(10) or [])
    channel = Channel("http://name.invalid:80", "t")
    began = time.monotonic()
    channel.request("GET", "/", began)
    assert time.monotonic() - began < 5
    assert channel.busy
    with pytest.raises(ChannelError, match="no answer within"):
        channel.check_deadline(began + 31)
    channel.close()
