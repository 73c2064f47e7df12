"""An HTTP server on loopback that answers as a test says, and fails as a test says."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

RESET = struct.pack("ii", 1, 0)


@dataclass(frozen=True)
class Request:
    """What came. ``count`` is 1 for the first request of the server."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    count: int


@dataclass(frozen=True)
class Reply:
    """What goes back, the body ``repeat`` times. ``cut_after``: so many bytes of the body, then the
    connection breaks, once ``linger`` is set."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_seconds: float = 0.0
    repeat: int = 1
    cut_after: int | None = None
    linger: threading.Event | None = None
    chunked: bool = False


class Reset:
    """In place of a Reply: the connection breaks before there is an answer."""


Answer = Callable[[Request], Reply | type[Reset]]


def as_json(value: Any, status: int = 200, **headers: str) -> Reply:
    """Give a Reply whose body is JSON; headers have _ where there is a -."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    body = json.dumps(value).encode()
    return Reply(status, body, {"Content-Type": "application/json", **named})


class FaultServer(ThreadingHTTPServer):
    """Keeps what it was asked in ``requests``."""

    daemon_threads = True
    request_queue_size = 32

    def __init__(self, answer: Answer, host: str = "127.0.0.1", port: int = 0) -> None:
        self.answer = answer
        self.requests: list[Request] = []
        self.scheme = "http"
        super().__init__((host, port), _Handler)

    @property
    def url(self) -> str:
        host, port = self.server_address[:2]
        return f"{self.scheme}://{host!s}:{port}"

    def handle_error(self, *_: Any) -> None:
        """Say nothing of clients that go away: tests make them."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FaultServer

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        count = len(self.server.requests) + 1
        request = Request(self.command, self.path, dict(self.headers), body, count)
        self.server.requests.append(request)
        reply = self.server.answer(request)
        self.close_connection = True
        if isinstance(reply, Reply):
            self._send(reply)
        else:
            self._reset()

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = _serve  # noqa: N815

    def _send(self, reply: Reply) -> None:
        time.sleep(reply.delay_seconds)
        self.send_response(reply.status)
        for name, text in reply.headers.items():
            self.send_header(name, text)
        if reply.chunked:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(len(reply.body) * reply.repeat))
        self.send_header("Connection", "close")
        self.end_headers()
        sent = reply.body if reply.cut_after is None else reply.body[: reply.cut_after]
        if reply.chunked:
            sent = b"%x\r\n%b\r\n" % (len(sent), sent)
            sent += b"" if reply.cut_after is not None else b"0\r\n\r\n"
        for _ in range(reply.repeat):
            self.wfile.write(sent)
        if reply.linger is not None:
            reply.linger.wait(20)

    def _reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(
    answer: Answer, host: str = "127.0.0.1", port: int = 0, certificate: str | None = None
) -> Iterator[FaultServer]:
    """Serve ``answer``, over TLS with the certificate and key in the file ``certificate``."""
    server = FaultServer(answer, host, port)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.scheme = "https"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
