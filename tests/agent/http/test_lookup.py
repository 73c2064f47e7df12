"""Names that nobody answers for."""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from leoflow_agent.http.connection import exchange
from leoflow_agent.http.lookup import look_up, open_connection
from leoflow_agent.http.step import Broken, Send


class Stopped(BaseException):
    """What SIGTERM raises in a task."""


@pytest.fixture
def silent_resolver(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A system whose lookups take until the end of the test."""
    over = threading.Event()

    def wait(*_: Any) -> Any:
        over.wait(20)
        raise socket.gaierror(socket.EAI_AGAIN, "no answer")

    monkeypatch.setattr(socket, "getaddrinfo", wait)
    yield
    over.set()


def nowhere(_: bytes) -> None:
    raise AssertionError


@pytest.mark.usefixtures("silent_resolver")
def test_a_lookup_ends_with_the_time_for_connecting() -> None:
    send = Send("GET", "http://slow.example/", {}, None, 0.2, 20.0, 100, frozenset())
    began = time.monotonic()
    assert exchange(send, nowhere) == Broken(False, True, "no connection within 0.2 s")
    assert time.monotonic() - began < 15


@pytest.mark.usefixtures("silent_resolver")
def test_a_signal_is_heard_during_a_lookup() -> None:
    def stop(*_: Any) -> None:
        raise Stopped

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    began = time.monotonic()
    try:
        with pytest.raises(Stopped):
            look_up(("slow.example", 80), 20.0)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert time.monotonic() - began < 15


def test_each_address_of_a_host_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        right = socket.getaddrinfo(*server.getsockname(), 0, socket.SOCK_STREAM)
        wrong = socket.getaddrinfo("127.0.0.1", 1, 0, socket.SOCK_STREAM)
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_: wrong + right)
        with open_connection(("host", 1), 5.0) as connection:
            assert connection.getpeername() == server.getsockname()
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_: wrong)
        with pytest.raises(ConnectionRefusedError):
            open_connection(("host", 1), 5.0)


@pytest.mark.parametrize("host", ["nowhere.invalid", "a" * 64 + ".example"])
def test_what_is_no_name_is_an_error(host: str) -> None:
    with pytest.raises((OSError, ValueError)):
        look_up((host, 80), 20.0)
