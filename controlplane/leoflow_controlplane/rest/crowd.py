"""Answers no more requests at once than fit: who comes then is told to come again, and waits for
nothing. Streams, which are open for long and do little, have a limit of their own."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import parse_qs

from starlette.types import ASGIApp, Receive, Scope, Send

from leoflow_controlplane.rest.answer import refusal


def is_stream(scope: Scope) -> bool:
    """Say whether the answer to a request stays open until something has happened."""
    if scope["path"].endswith("/wait"):
        return True
    follow = parse_qs(scope["query_string"].decode("latin-1")).get("follow", [""])[-1]
    return follow.lower() in ("true", "1", "yes", "on", "t", "y")


class Crowd:
    """Lets ``requests`` and ``streams`` in at once."""

    def __init__(self, app: ASGIApp, requests: int, streams: int) -> None:
        self._app = app
        self._most = {False: requests, True: streams}
        self._inside: dict[bool, set[asyncio.Task[Any] | None]] = {False: set(), True: set()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = is_stream(scope)
        if len(self._inside[kind]) >= self._most[kind]:
            what = "streams" if kind else "requests"
            text = f"{self._most[kind]} {what} are being answered, which is the limit."
            await refusal(503, text, {"Retry-After": "1"})(scope, receive, send)
            return
        task = asyncio.current_task()
        self._inside[kind].add(task)
        try:
            await self._app(scope, receive, send)
        finally:
            self._inside[kind].discard(task)

    def end_streams(self) -> None:
        """Cut off the streams, which would go on for as long as a run does. Their clients see that
        the end is missing."""
        for task in self._inside[True]:
            if task is not None:
                task.cancel()
