"""Refuses bodies that are too long, by what they say of themselves and by what really comes, and
those that are too slow: they would keep others from being answered."""

from __future__ import annotations

import asyncio

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from leoflow_controlplane.rest.answer import refusal

MIB = 1024**2
PUSH_PATH = "/api/v2/dags"
PUSH_LIMIT_BYTES = 16 * MIB
LIMIT_BYTES = MIB
# A push of the greatest length comes in time at 270 kB/s.
BODY_SECONDS = 60.0


class BodyLimit:
    """Lets a push be 16 MiB long, and anything else 1 MiB. All of it has to come in a minute."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        limit = PUSH_LIMIT_BYTES if scope["path"] == PUSH_PATH else LIMIT_BYTES
        said = Headers(scope=scope).get("content-length", "0")
        if not said.isdecimal() or int(said) > limit:
            await refusal(413, _text(limit), {"Connection": "close"})(scope, receive, send)
            return
        taken, whole = 0, False
        until = asyncio.get_running_loop().time() + BODY_SECONDS

        async def receive_limited() -> Message:
            nonlocal taken, whole
            if whole:
                return await receive()
            try:
                async with asyncio.timeout_at(until):
                    message = await receive()
            except TimeoutError:
                text = f"the body did not come within {BODY_SECONDS:g} s."
                raise HTTPException(408, text, {"Connection": "close"}) from None
            whole = not message.get("more_body", False)
            taken += len(message.get("body", b""))
            if taken > limit:
                raise HTTPException(413, _text(limit), {"Connection": "close"})
            return message

        await self._app(scope, receive_limited, send)


def _text(limit: int) -> str:
    return f"the body is longer than {limit // MIB} MiB."
