"""uvicorn's HTTP protocol with limits that it lacks: how long a request's head may be, and
how long it may take to come. Without them a client that says nothing keeps a connection for ever.
"""

from __future__ import annotations

import asyncio
from typing import Any

from leoflow_controlplane.reportprotocol import ReportProtocol

MAX_HEAD_BYTES = 64 * 1024
HEAD_SECONDS = 20.0

_TOO_LONG = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"Content-Length: 0\r\nConnection: close\r\n\r\n"
)


class LimitedProtocol(ReportProtocol):
    """Ends connections whose request's head is too long or too slow."""

    _head_bytes = 0
    _in_head = True
    _alarm: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._stop_alarm()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take in what came, unless the head is too long by now."""
        super().data_received(data)
        if not self._in_head:
            return
        self._head_bytes += len(data)
        if self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.transport.write(_TOO_LONG)
            self.transport.close()

    def on_report(self) -> None:
        """Stop counting: a report that is taken the short way has come as a whole."""
        if self._in_head:
            self._in_head = False
            self._stop_alarm()

    def on_message_begin(self) -> None:
        """Begin to count: from here on the head has to come quickly."""
        super().on_message_begin()
        self._head_bytes, self._in_head = 0, True
        self._await_head()

    def on_headers_complete(self) -> None:
        """Stop counting."""
        self._in_head = False
        self._stop_alarm()
        super().on_headers_complete()

    def _await_head(self) -> None:
        self._stop_alarm()
        loop = asyncio.get_running_loop()
        self._alarm = loop.call_later(HEAD_SECONDS, self.transport.close)

    def _stop_alarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
