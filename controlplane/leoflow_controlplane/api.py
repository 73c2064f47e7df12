"""The HTTP surface that agents talk to: checks shapes and tokens, decides nothing.

A plain ASGI application: a router and request objects would take longer than the rest of it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache, partial
from http import HTTPStatus
from typing import Any, NamedTuple, Protocol
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
    Refused,
    SecretMissing,
    Stale,
    Unauthorized,
)
from leoflow_controlplane.jsontext import encode
from leoflow_controlplane.model import NOT_MAPPED, TryKey
from leoflow_controlplane.observer import SILENT, Observer
from leoflow_controlplane.reportbody import UnknownProtocol, parse_report

MAX_BODY_BYTES = 16 * 1024 * 1024
MAX_MAP_INDEX = 2**31 - 1

MARK = (PROTOCOL_HEADER.encode(), str(PROTOCOL).encode())
_JSON = (b"content-type", b"application/json")
_TEXT = (b"content-type", b"text/plain; charset=utf-8")


logger = logging.getLogger("leoflow.api")


class Desk(Protocol):
    """Who takes in what agents say."""

    def check_token(self, token: str) -> TryKey:
        """Name the try of a token; Unauthorized for one that is none; costs next to nothing."""
        ...

    def take_report(self, token: str, report: Report) -> asyncio.Future[Acknowledgement]:
        """Make a report durable; raises Unauthorized and Stale, at once or later."""
        ...

    async def give_inputs(self, token: str) -> Inputs:
        """Look up the inputs of a try; raises Unauthorized, Stale, SecretMissing, and Refused if it
        cannot have any."""

    async def give_xcom(self, token: str, task_id: str, key: str, map_index: int) -> Pulled:
        """Look up what a task of the try's run left; raises Unauthorized and Stale."""


class Reply(NamedTuple):
    """What is answered; ``kind`` is the header that says what the body is."""

    status: int
    kind: tuple[bytes, bytes]
    body: bytes


class _Refused(Exception):
    def __init__(self, status: int, text: str) -> None:
        self.status = status
        self.text = text


_STATUS: tuple[tuple[type[Exception], int], ...] = (
    (Unauthorized, 401),
    (Stale, 409),
    (SecretMissing, 404),
    (Refused, 400),
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
        try:
            reply = _json(await self._handler(scope)(scope, receive))
        except Exception as error:
            reply = _refusal(error)
        if scope["path"] == EVENTS_PATH:
            self._count(reply.status)
        length = (b"content-length", str(len(reply.body)).encode())
        start = {"status": reply.status, "headers": [reply.kind, length, MARK]}
        await send({"type": "http.response.start", **start})
        await send({"type": "http.response.body", "body": reply.body})

    def take_report(self, token: str, body: bytes, answer: Callable[[Reply], None]) -> bool:
        """Answer a POST of EVENTS_PATH whose body is here, without a task for it; see
        `reportprotocol`. ``answer`` is called once, maybe before this returns, which is True."""
        try:
            self._desk.check_token(token)
            taken = self._desk.take_report(token, _parse(body))
        except Exception as error:
            self._refuse_report(answer, error)
        else:
            taken.add_done_callback(partial(self._answer_taken, answer))
        return True

    def _answer_taken(
        self, answer: Callable[[Reply], None], taken: asyncio.Future[Acknowledgement]
    ) -> None:
        try:
            reply = _acknowledge(taken.result())
        except (Exception, asyncio.CancelledError) as error:
            self._refuse_report(answer, error)
        else:
            self._observer.report_taken()
            answer(reply)

    def _refuse_report(self, answer: Callable[[Reply], None], error: BaseException) -> None:
        reply = _refusal_or_failure(error)
        self._observer.report_refused(reply.status)
        answer(reply)

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
        return await self._desk.take_report(token, _parse(await _read_body(receive)))

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


def _parse(body: bytes) -> Report:
    try:
        return parse_report(body)
    except UnknownProtocol as unknown:
        raise _Refused(426, _upgrade_text(unknown)) from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise _Refused(400, f"the report is malformed at '{place}': {first['msg']}") from None
    except (ValueError, RecursionError) as error:
        raise _Refused(400, f"the report is not JSON: {error}") from None


def _acknowledge(answer: Acknowledgement) -> Reply:
    # Nearly all say the same.
    if answer["terminate"] is None and "token" not in answer:
        return _acknowledge_only(answer["ack"], answer["heartbeat_seconds"])
    return _json(answer)


@lru_cache(maxsize=1000)
def _acknowledge_only(ack: int, heartbeat_seconds: float) -> Reply:
    return _json(Acknowledgement(ack=ack, terminate=None, heartbeat_seconds=heartbeat_seconds))


def _json(answer: Any) -> Reply:
    return Reply(200, _JSON, encode(answer))


def _refusal(error: BaseException) -> Reply:
    if isinstance(error, _Refused):
        return _text(error.status, error.text)
    for kind, status in _STATUS:
        if isinstance(error, kind):
            return _text(status, str(error))
    raise error


def _refusal_or_failure(error: BaseException) -> Reply:
    try:
        return _refusal(error)
    except BaseException:
        logger.exception("a report could not be answered")
        return _text(500, HTTPStatus.INTERNAL_SERVER_ERROR.phrase)


def _text(status: int, text: str) -> Reply:
    return Reply(status, _TEXT, text.encode("utf-8", "replace"))


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
