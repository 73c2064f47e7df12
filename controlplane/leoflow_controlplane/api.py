"""The HTTP surface that agents talk to: checks shapes and tokens, decides nothing.

A plain ASGI application: a router and request objects would take longer than the rest of it.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, Protocol
from urllib.parse import parse_qsl

from leoflow_agent.wire import (
    EVENTS_PATH,
    INPUTS_PATH,
    PROTOCOL,
    PROTOCOL_HEADER,
    XCOM_PATH,
    Acknowledgement,
    Inputs,
    Pulled,
    Report,
)
from pydantic import ValidationError
from starlette.types import Receive, Scope, Send

from leoflow_controlplane.error import (
    DatabaseUnusable,
    NotLeading,
    SecretMissing,
    Stale,
    Unauthorized,
)
from leoflow_controlplane.model import NOT_MAPPED
from leoflow_controlplane.observer import SILENT, Observer
from leoflow_controlplane.reportbody import UnknownProtocol, parse_report

MAX_BODY_BYTES = 16 * 1024 * 1024
MAX_MAP_INDEX = 2**31 - 1

_MARK = (PROTOCOL_HEADER.encode(), str(PROTOCOL).encode())
_JSON = (b"content-type", b"application/json")
_TEXT = (b"content-type", b"text/plain; charset=utf-8")


class Desk(Protocol):
    """Who takes in what agents say."""

    def check_token(self, token: str) -> None:
        """Raise Unauthorized for a token that is none; costs next to nothing."""

    async def take_report(self, token: str, report: Report) -> Acknowledgement:
        """Make a report durable; raises Unauthorized and Stale."""

    async def give_inputs(self, token: str) -> Inputs:
        """Look up the inputs of a try; raises Unauthorized and Stale."""

    async def give_xcom(self, token: str, task_id: str, key: str, map_index: int) -> Pulled:
        """Look up what a task of the try's run left; raises Unauthorized and Stale."""


class _Refused(Exception):
    def __init__(self, status: int, text: str) -> None:
        self.status = status
        self.text = text


_STATUS: tuple[tuple[type[Exception], int], ...] = (
    (Unauthorized, 401),
    (Stale, 409),
    (SecretMissing, 404),
    # The agent keeps what is not acknowledged, and sends it again.
    (DatabaseUnusable, 503),
    (NotLeading, 503),
)


class AgentApp:
    """The agent API in front of ``desk``. Each answer is marked as a control plane's, so that an
    agent believes it if it is a refusal. ``observer`` is told what becomes of reports."""

    def __init__(self, desk: Desk, observer: Observer = SILENT) -> None:
        self._desk = desk
        self._observer = observer
        self._handlers: dict[tuple[str, str], Callable[[Scope, Receive], Awaitable[Any]]] = {
            ("POST", EVENTS_PATH): self._post_events,
            ("GET", INPUTS_PATH): self._get_inputs,
            ("GET", XCOM_PATH): self._get_xcom,
        }
        self._paths = {path for _, path in self._handlers}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        status, kind = 200, _JSON
        try:
            answer = await self._handler(scope)(scope, receive)
            body = json.dumps(answer).encode()
        except Exception as error:
            status, text = _describe(error)
            kind, body = _TEXT, text.encode("utf-8", "replace")
        if scope["path"] == EVENTS_PATH:
            self._count(status)
        length = (b"content-length", str(len(body)).encode())
        await send(
            {"type": "http.response.start", "status": status, "headers": [kind, length, _MARK]}
        )
        await send({"type": "http.response.body", "body": body})

    def _count(self, status: int) -> None:
        if status == 200:
            self._observer.report_taken()
        else:
            self._observer.report_refused(status)

    def _handler(self, scope: Scope) -> Callable[[Scope, Receive], Awaitable[Any]]:
        path = scope["path"]
        handler = self._handlers.get((scope["method"], path))
        if handler is None:
            status = HTTPStatus.METHOD_NOT_ALLOWED if path in self._paths else HTTPStatus.NOT_FOUND
            raise _Refused(status, status.phrase)
        return handler

    async def _post_events(self, scope: Scope, receive: Receive) -> Acknowledgement:
        token = _token(scope)
        # Nobody has us read or parse a body who has no business here.
        self._desk.check_token(token)
        body = await _read_body(receive)
        try:
            report = parse_report(body)
        except UnknownProtocol as unknown:
            raise _Refused(426, _upgrade_text(unknown)) from None
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(map(str, first["loc"]))
            raise _Refused(400, f"the report is malformed at '{place}': {first['msg']}") from None
        except (ValueError, RecursionError) as error:
            raise _Refused(400, f"the report is not JSON: {error}") from None
        return await self._desk.take_report(token, report)

    async def _get_inputs(self, scope: Scope, _receive: Receive) -> Inputs:
        protocol = _query(scope).get("protocol", str(PROTOCOL))
        if protocol != str(PROTOCOL):
            raise _Refused(426, _upgrade_text(protocol))
        return await self._desk.give_inputs(_token(scope))

    async def _get_xcom(self, scope: Scope, _receive: Receive) -> Pulled:
        asked = _query(scope)
        try:
            map_index = int(asked.get("map_index", str(NOT_MAPPED)))
            task_id, key = asked["task_id"], asked["key"]
        except KeyError as missing:
            raise _Refused(400, f"the parameter '{missing.args[0]}' is missing") from None
        except ValueError:
            text = f"map_index '{asked['map_index']}' is no whole number"
            raise _Refused(400, text) from None
        if not NOT_MAPPED <= map_index <= MAX_MAP_INDEX:
            raise _Refused(400, f"map_index '{map_index}' is not between -1 and {MAX_MAP_INDEX}")
        return await self._desk.give_xcom(_token(scope), task_id, key, map_index)


def _describe(error: Exception) -> tuple[int, str]:
    if isinstance(error, _Refused):
        return error.status, error.text
    for kind, status in _STATUS:
        if isinstance(error, kind):
            return status, str(error)
    raise error


def _query(scope: Scope) -> Mapping[str, str]:
    text = scope["query_string"].decode("latin-1")
    return dict(parse_qsl(text, keep_blank_values=True))


def _token(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"authorization":
            scheme, _, token = value.decode("latin-1").partition(" ")
            if scheme.lower() == "bearer" and token:
                return str(token)
    raise _Refused(401, "the header 'Authorization: Bearer TOKEN' is missing")


async def _read_body(receive: Receive) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Refused(400, "the connection ended before the report did")
        chunk = message.get("body", b"")
        chunks.append(chunk)
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            raise _Refused(413, f"the report is longer than {MAX_BODY_BYTES} bytes")
        if not message.get("more_body", False):
            return b"".join(chunks)


def _upgrade_text(protocol: object) -> str:
    return (
        f"the image speaks agent protocol '{protocol}', this control plane '{PROTOCOL}'. "
        "Rebuild the image with 'leoflow build'."
    )
