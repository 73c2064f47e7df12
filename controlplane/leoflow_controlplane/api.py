"""The HTTP surface that agents talk to: checks shapes and tokens, decides nothing."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any, Literal, Protocol, cast

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
from pydantic import BaseModel, Field, ValidationError, field_validator
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from leoflow_controlplane.error import DatabaseUnusable, SecretMissing, Stale, Unauthorized
from leoflow_controlplane.model import NOT_MAPPED

MAX_BODY_BYTES = 16 * 1024 * 1024


class Desk(Protocol):
    """Who takes in what agents say."""

    async def take_report(self, token: str, report: Report) -> Acknowledgement:
        """Make a report durable; raises Unauthorized and Stale."""

    async def give_inputs(self, token: str) -> Inputs:
        """Look up the inputs of a try; raises Unauthorized and Stale."""

    async def give_xcom(self, token: str, task_id: str, key: str, map_index: int) -> Pulled:
        """Look up what a task of the try's run left; raises Unauthorized and Stale."""


class EventBody(BaseModel):
    """``wire.Event`` as it is checked. Keys that this version does not know are left out."""

    seq: int = Field(ge=1)
    at: float
    type: Literal["started", "entered", "log", "xcom", "heartbeat", "finished"]
    agent_up: float = 0.0
    import_started: float = 0.0
    entered: float = 0.0
    stream: Literal["stdout", "stderr"] = "stdout"
    text: str = ""
    key: str = "return_value"
    value: Any = None
    state: Literal["success", "failed", "skipped"] = "failed"
    reason: str | None = None
    exit_code: int = 0
    left: float | None = None
    retryable: bool = True


class ReportBody(BaseModel):
    """``wire.Report`` as it is checked."""

    protocol: int
    nonce: str = Field(min_length=1, max_length=200)
    events: list[EventBody]

    @field_validator("protocol")
    @classmethod
    def _known(cls, protocol: int) -> int:
        if protocol != PROTOCOL:
            raise ValueError("another protocol")
        return protocol


class _Refused(Exception):
    def __init__(self, status: int, text: str) -> None:
        self.response = PlainTextResponse(text, status)


Handler = Callable[[Desk, Request], Awaitable[Response]]


def make_app(desk: Desk) -> Starlette:
    """Make the agent API in front of ``desk``."""
    return Starlette(
        routes=[
            Route(EVENTS_PATH, _bind(desk, _post_events), methods=["POST"]),
            Route(INPUTS_PATH, _bind(desk, _get_inputs), methods=["GET"]),
            Route(XCOM_PATH, _bind(desk, _get_xcom), methods=["GET"]),
        ],
        middleware=[Middleware(_Marked)],
    )


class _Marked:
    """Marks each answer as a control plane's, so that an agent believes it if it is a refusal."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[PROTOCOL_HEADER] = str(PROTOCOL)
            await send(message)

        await self._app(scope, receive, send_marked)


def parse_report(body: bytes) -> Report:
    """Check a report; ValueError with the place of what is wrong, LookupError for its protocol."""
    document = json.loads(body)
    protocol = document.get("protocol") if isinstance(document, dict) else None
    if protocol != PROTOCOL and isinstance(protocol, int):
        raise LookupError(protocol)
    report = ReportBody.model_validate(document).model_dump(exclude_unset=True)
    for event in report["events"]:
        for name in ("text", "reason", "key"):
            if isinstance(event.get(name), str):
                event[name] = _storable(event[name])
    return cast(Report, report)


async def _post_events(desk: Desk, request: Request) -> Response:
    token, body = _token(request), await _read_body(request)
    try:
        report = parse_report(body)
    except LookupError as unknown:
        raise _Refused(426, _upgrade_text(unknown.args[0])) from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise _Refused(400, f"the report is malformed at '{place}': {first['msg']}") from None
    except (ValueError, RecursionError) as error:
        raise _Refused(400, f"the report is not JSON: {error}") from None
    return JSONResponse(await desk.take_report(token, report))


async def _get_inputs(desk: Desk, request: Request) -> Response:
    protocol = request.query_params.get("protocol", str(PROTOCOL))
    if protocol != str(PROTOCOL):
        raise _Refused(426, _upgrade_text(protocol))
    return JSONResponse(await desk.give_inputs(_token(request)))


async def _get_xcom(desk: Desk, request: Request) -> Response:
    asked = request.query_params
    try:
        map_index = int(asked.get("map_index", str(NOT_MAPPED)))
        task_id, key = asked["task_id"], asked["key"]
    except KeyError as missing:
        raise _Refused(400, f"the parameter '{missing.args[0]}' is missing") from None
    except ValueError:
        raise _Refused(400, f"map_index '{asked['map_index']}' is no whole number") from None
    return JSONResponse(await desk.give_xcom(_token(request), task_id, key, map_index))


def _bind(desk: Desk, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    async def handle(request: Request) -> Response:
        try:
            return await handler(desk, request)
        except _Refused as refused:
            return refused.response
        except Unauthorized as error:
            return PlainTextResponse(str(error), 401)
        except Stale as error:
            return PlainTextResponse(str(error), 409)
        except SecretMissing as error:
            return PlainTextResponse(str(error), 404)
        except DatabaseUnusable as error:
            # The agent keeps what is not acknowledged, and sends it again.
            return PlainTextResponse(str(error), 503)

    return handle


def _token(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise _Refused(401, "the header 'Authorization: Bearer TOKEN' is missing")
    return token


async def _read_body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise _Refused(413, f"the report is longer than {MAX_BODY_BYTES} bytes")
    return bytes(body)


def _upgrade_text(protocol: object) -> str:
    return (
        f"the image speaks agent protocol '{protocol}', this control plane '{PROTOCOL}'. "
        "Rebuild the image with 'leoflow build'."
    )


def _storable(text: str) -> str:
    """Replace lone surrogates, which JSON can spell and UTF-8 cannot."""
    return text.encode("utf-8", "replace").decode("utf-8")
