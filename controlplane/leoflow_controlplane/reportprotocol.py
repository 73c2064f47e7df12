"""uvicorn's HTTP protocol with a short way for reports, which are nearly all that a server is sent:
no scope, no task and no events for each. What is not spelled as an agent spells it is uvicorn's.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from leoflow_agent.wire import EVENTS_PATH
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from leoflow_controlplane.api import MARK, Reply

# Answers a report by its token and body; False: not here, the app has to answer the request.
TakeReport = Callable[[str, bytes, Callable[[Reply], None]], bool]

# The whole head, as `leoflow_agent.channel` writes it: nothing is left in it to be understood in
# two ways. A chunk that does not end with the body goes the long way.
_REPORT = re.compile(
    rb"POST %s HTTP/1\.1\r\nHost: [!-~]{1,300}\r\nAuthorization: Bearer ([!-~]{1,8000})\r\n"
    rb"Content-Type: application/json\r\nContent-Length: ([0-9]{1,7})\r\n\r\n"
    % re.escape(EVENTS_PATH.encode())
)
_MARK = b"%s: %s\r\n" % MARK
_STATUS_LINES = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus
}


def take_none(_token: str, _body: bytes, _answer: Callable[[Reply], None]) -> bool:
    """Leave all reports to the app."""
    return False


class ReportProtocol(HttpToolsProtocol):
    """Gives reports to ``take``, one at a time; what comes meanwhile waits for the answer."""

    _answering = False
    _in_message = False
    _is_last = False
    _held = b""
    _quiet_since = 0.0

    def __init__(self, *args: Any, take: TakeReport, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._take = take

    def data_received(self, data: bytes) -> None:
        """Take in what came."""
        if self._answering:
            self._held += data
            self.flow.pause_reading()
            return
        if not self._is_busy():
            head = _REPORT.match(data)
            if head is not None and (body_at := head.end()) + int(head[2]) == len(data):
                self._answering = True
                if self._take(head[1].decode(), data[body_at:], self._answer):
                    self.on_report()
                    return
                self._answering = False
        super().data_received(data)

    def on_report(self) -> None:
        """Note that a report was taken the short way."""

    def on_message_begin(self) -> None:
        """Leave the connection to uvicorn until the message is here and answered."""
        self._in_message = True
        super().on_message_begin()

    def on_message_complete(self) -> None:
        """Note that what comes now is another message."""
        self._in_message = False
        super().on_message_complete()

    def shutdown(self) -> None:
        """Hang up, after the answer that is outstanding."""
        if self._answering:
            self._is_last = True
        else:
            super().shutdown()

    def timeout_keep_alive_handler(self) -> None:
        """Hang up, unless there was a report since the alarm was set: each would have to set it."""
        self.timeout_keep_alive_task = None
        rest = self._quiet_since + self.timeout_keep_alive - self.loop.time()
        if rest > 0:
            self._set_alarm(rest)
        elif not self._answering:
            super().timeout_keep_alive_handler()

    def _is_busy(self) -> bool:
        """Say whether uvicorn has a message that is not all here, not answered or not sent."""
        cycle = self.cycle
        return (
            self._in_message
            or (cycle is not None and not cycle.response_complete)
            or self.flow.write_paused
        )

    def _answer(self, reply: Reply) -> None:
        self._answering = False
        if self.transport.is_closing():
            return
        self.transport.write(_spell(reply, self._is_last))
        if self._is_last:
            self.transport.close()
            return
        self._quiet_since = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._set_alarm(self.timeout_keep_alive)
        if self._held:
            held, self._held = self._held, b""
            self.flow.resume_reading()
            self.data_received(held)

    def _set_alarm(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(
            seconds, self.timeout_keep_alive_handler
        )


def _spell(reply: Reply, is_last: bool) -> bytes:
    status, (name, kind), body = reply
    return b"%s%s: %s\r\n%b%bcontent-length: %d\r\n\r\n%b" % (
        _STATUS_LINES[status],
        name,
        kind,
        _MARK,
        b"connection: close\r\n" if is_last else b"",
        len(body),
        body,
    )
