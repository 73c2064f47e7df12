"""One log line for each request of people and programs. Agents' are too many: what they say is in
the log of their run.
"""

from __future__ import annotations

import logging
import secrets
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from leoflow_controlplane.logcontext import about

logger = logging.getLogger("leoflow.access")


class AccessLog:
    """Logs each request once it is answered; what is logged meanwhile has its ``request_id``."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        began, status = time.perf_counter(), 0

        async def watching(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        with about(request_id=secrets.token_hex(4)):
            try:
                await self._app(scope, receive, watching)
            finally:
                ms = round((time.perf_counter() - began) * 1000, 1)
                # As it was sent: a decoded line end would begin a line. Never the query.
                path = (scope.get("raw_path") or b"").decode("latin-1")
                asked = {"method": scope["method"], "path": path, "status": status, "ms": ms}
                logger.info("%s %s: %s", scope["method"], path, status, extra=asked)
