"""How the REST API says no: one shape, ``{"detail": …}``, and never a trace of the code."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from leoflow_controlplane.error import (
    Conflict,
    ControlPlaneError,
    DagRefused,
    DatabaseUnusable,
    ExecutorUnusable,
    NotFound,
    NotLeading,
    Refused,
)
from leoflow_controlplane.rest.answer import refusal
from leoflow_controlplane.vault import SecretUnreadable

logger = logging.getLogger("leoflow.rest")

_STATUS: dict[type[ControlPlaneError], int] = {
    NotFound: 404,
    Conflict: 409,
    DagRefused: 422,
    Refused: 400,
    DatabaseUnusable: 503,
    ExecutorUnusable: 503,
    NotLeading: 503,
    SecretUnreadable: 409,
}


class Problem(BaseModel):
    """Why a request was refused."""

    detail: str


class Mistake(BaseModel):
    """One thing that is wrong with a request, and where."""

    loc: list[str | int]
    msg: str
    type: str


class Mistakes(BaseModel):
    """Everything that is wrong with a request, or one text of a line for each thing."""

    detail: list[Mistake] | str


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe refusals for the OpenAPI document; those that each request may meet are in it."""
    texts = {
        400: "What was asked for makes no sense",
        401: "The token is missing or unknown",
        403: "The token is a viewer's",
        404: "There is no such thing",
        405: "This is not done to such things",
        409: "What was asked for contradicts what is there",
        413: "The body is too long",
        422: "The request is malformed",
        429: "Too many tokens were refused",
        503: "Nothing can be acknowledged at the moment",
    }
    chosen = {401, 403, 422, 429, 503, *statuses}
    return {
        status: {"description": texts[status], "model": Mistakes if status == 422 else Problem}
        for status in sorted(chosen)
    }


def answer_errors(app: FastAPI) -> None:
    """Let ``app`` answer errors in the one shape."""
    app.add_exception_handler(ControlPlaneError, _answer_known)
    app.add_exception_handler(RequestValidationError, _answer_invalid)
    app.add_exception_handler(HTTPException, _answer_http)


class Unexpected:
    """Answers what went wrong inside with an id, and tells the log the rest."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def watching(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, watching)
        except Exception:
            name = secrets.token_hex(4)
            logger.exception("error %s in %s %s", name, scope["method"], scope["path"])
            if begun:
                # The connection is closed without the end of the answer: nobody takes it for whole.
                raise
            answer = refusal(500, f"internal error {name}. The server's log says more.")
            await answer(scope, receive, send)


async def _answer_known(_request: Request, error: Exception) -> Response:
    for kind in type(error).__mro__:
        if kind in _STATUS:
            status = _STATUS[kind]
            headers = {"Retry-After": "1"} if status == 503 else None
            return refusal(status, _printable(str(error)), headers)
    raise error


async def _answer_invalid(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return refusal(422, [_mistake(one) for one in error.errors()])


async def _answer_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    detail = error.detail
    if error.status_code == 404 and detail == "Not Found":
        detail = f"there is nothing at '{request.url.path}'. See /openapi.json for what there is."
    return refusal(error.status_code, detail, error.headers)


def _mistake(error: Mapping[str, Any]) -> dict[str, Any]:
    # Neither the input nor the context: a secret may be in it.
    loc: Sequence[str | int] = error["loc"]
    return {
        "loc": [_printable(word) if isinstance(word, str) else word for word in loc],
        # The library's own words for an error that a model raises.
        "msg": _printable(error["msg"].removeprefix("Value error, ")),
        "type": error["type"],
    }


def _printable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
