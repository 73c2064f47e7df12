"""A server that says whatever a test wants, and a client that asks it through a Channel."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
import time
from collections.abc import Iterable

from leoflow_agent.channel import Channel, ChannelError

OK = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b"


def ok(body: bytes) -> bytes:
    """Make a good answer of ``body``."""
    return OK % (len(body), body)


class Server:
    """Answers each connection with the bytes of ``pieces``, then closes it; with ``reset`` hard.

    Between two pieces it waits ``pause`` seconds.
    """

    def __init__(self, pieces: Iterable[bytes], *, reset: bool = False, pause: float = 0.0) -> None:
        self._pieces = list(pieces)
        self._reset = reset
        self._pause = pause
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._over = False
        self.endpoint = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.received = b""
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Server:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over = True
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        self._listener.settimeout(0.02)
        while not self._over:
            with contextlib.suppress(TimeoutError):
                connection, _ = self._listener.accept()
                with connection, contextlib.suppress(OSError):
                    self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        connection.settimeout(5)
        self.received = connection.recv(65536)
        for piece in self._pieces:
            connection.sendall(piece)
            if self._pause:
                time.sleep(self._pause)
        if self._reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def exchange(channel: Channel, body: str = '{"a":1}', seconds: float = 20) -> tuple[int, bytes]:
    """Send one request the way the supervisor's loop does; an AssertionError if it never ends."""
    channel.request("POST", "/path", time.monotonic(), body)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        channel.check_deadline(time.monotonic())
        poll = select.poll()
        poll.register(*channel.interest())
        poll.poll(100)
        answer = channel.advance()
        if answer is not None:
            channel.close()
            return answer
    raise AssertionError("the channel never came to an end")


def fails(channel: Channel) -> str:
    """Send one request that has to fail, and return why it did."""
    try:
        answer = exchange(channel)
    except ChannelError as error:
        assert not channel.busy
        return str(error)
    raise AssertionError(f"it was answered: {answer}")
