"""Refuses bodies that are too long, by what they say of themselves and by what really comes."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from leoflow_controlplane.rest.answer import refusal

MIB = 1024**2
PUSH_PATH = "/api/v2/dags"
PUSH_LIMIT_BYTES = 16 * MIB
LIMIT_BYTES = MIB


class BodyLimit:
    """Lets a push be 16 MiB long, and anything else 1 MiB."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        limit = PUSH_LIMIT_BYTES if scope["path"] == PUSH_PATH else LIMIT_BYTES
        said = Headers(scope=scope).get("content-length", "0")
        if not said.isdecimal() or int(said) > limit:
            await refusal(413, _text(limit), {"Connection": "close"})(scope, receive, send)
            return
        taken = 0

        async def receive_limited() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > limit:
                raise HTTPException(413, _text(limit), {"Connection": "close"})
            return message

        await self._app(scope, receive_limited, send)


def _text(limit: int) -> str:
    return f"the body is longer than {limit // MIB} MiB."
