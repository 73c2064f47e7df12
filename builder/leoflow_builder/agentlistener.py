"""A control plane that only listens: it takes an agent's reports on a Unix socket, and keeps them.

It decides nothing and starts nothing.
"""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import cast

from leoflow_agent.wire import Acknowledgement, Event, Report

SOCKET_NAME = "agent.sock"
HEARTBEAT_SECONDS = 60.0


class AgentListener:
    """The events of one agent after another."""

    def __init__(self) -> None:
        self._events: dict[int, Event] = {}

    def take(self) -> list[Event]:
        """Return the events since the last call, in order, and forget them."""
        events, self._events = self._events, {}
        return [events[number] for number in sorted(events)]

    def keep(self, report: Report) -> Acknowledgement:
        """Keep the events of a report and say so."""
        for event in report["events"]:
            self._events[event["seq"]] = event
        last = max(self._events, default=0)
        return Acknowledgement(ack=last, terminate=None, heartbeat_seconds=HEARTBEAT_SECONDS)


@contextmanager
def listening(folder: Path) -> Iterator[AgentListener]:
    """Listen at ``folder``/agent.sock, which any user of a container may use, for the block."""
    listener = AgentListener()
    path = folder / SOCKET_NAME
    with _Server(str(path), _Handler) as server:
        path.chmod(0o666)
        server.listener = listener
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield listener
        finally:
            server.shutdown()
            thread.join()


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    listener: AgentListener


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Take a report and acknowledge it."""
        report: Report = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = json.dumps(cast("_Server", self.server).listener.keep(report)).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def address_string(self) -> str:
        """Name the other side, which has no address on a Unix socket."""
        return "agent"

    def log_message(self, *_: object) -> None:
        """Be quiet: what agents send is no news."""
