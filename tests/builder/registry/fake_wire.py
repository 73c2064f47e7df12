"""Reads requests off sockets for the fake registry, and cuts connections where it is told to."""

from __future__ import annotations

import socket
import struct
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


class Server(ThreadingHTTPServer):
    """Serves each connection in a thread, and says nothing of clients that hang up."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Show what is a mistake of the fake's own."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class Handler(BaseHTTPRequestHandler):
    """One connection; ``server.registry`` is the FakeRegistry."""

    protocol_version = "HTTP/1.1"
    # Without it a HEAD answer waits for the client's delayed acknowledgement.
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._handle()

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 - as above

    def _handle(self) -> None:
        from fake_registry import Request

        registry: Any = self.server.registry  # type: ignore[attr-defined]
        address = urlsplit(self.path)
        fault = registry.fault_for(self.command, address.path)
        cut = fault.cut if fault else ""
        length = int(self.headers.get("Content-Length", 0))
        if cut == "before":
            return self._cut()
        if cut == "in request":
            self.rfile.read(length // 2)
            return self._cut()
        if fault and fault.reply and length > 2**16:
            # An answer that comes before the body is read, as from a proxy with a limit.
            self.close_connection = True
            return self._reply(fault.reply, "")
        body = self.rfile.read(length)
        query = {name: " ".join(values) for name, values in parse_qs(address.query).items()}
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, address.path, query, headers, body)
        if fault and fault.reply:
            registry.requests.append(request)
            return self._reply(fault.reply, "")
        reply = registry.answer(request)
        if cut == "after":
            return self._cut()
        if fault and fault.change:
            reply = fault.change(reply)
        return self._reply(reply, cut)

    def _reply(self, reply: Any, cut: str) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        if cut == "in reply":
            self.wfile.write(reply.body[: len(reply.body) // 2])
            return self._cut(abruptly=False)
        if self.command != "HEAD":
            self.wfile.write(reply.body)
        return None

    def _cut(self, abruptly: bool = True) -> None:
        """End the connection as a crash does, or after what was sent has arrived."""
        self.close_connection = True
        self.wfile.flush()
        if abruptly:
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.connection.close()
        # The parent flushes at the end, into what is closed.
        self.wfile = _Nowhere()  # type: ignore[assignment]


class _Nowhere:
    closed = True

    def flush(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""
