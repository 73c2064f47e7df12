"""An app that takes a while to make, and is made while others are answered already."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.types import ASGIApp, Receive, Scope, Send


class Later:
    """Answers with what ``make`` gives, which runs in a thread from now on; requests wait for it.

    To be made inside the event loop. What ``make`` raises is raised by `ready` and each request.
    """

    def __init__(self, make: Callable[[], ASGIApp]) -> None:
        self._made = asyncio.create_task(asyncio.to_thread(make))

    async def ready(self) -> None:
        """Wait until requests need not wait any more."""
        await asyncio.shield(self._made)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        app = await asyncio.shield(self._made)
        await app(scope, receive, send)
