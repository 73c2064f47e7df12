"""`/health`: whether this process can acknowledge anything. For load balancers; no token."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from leoflow_controlplane.rest.office import Health, Part


def health_app(probe: Callable[[], Awaitable[Health]]) -> ASGIApp:
    """Make the app. 503 while what is sent here could not be made durable."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        health = await probe()
        body = {
            "status": "healthy" if health.well else "unhealthy",
            "leads": health.leads,
            "database": _part(health.database),
            "scheduler": _part(health.scheduler),
            "executor": _part(health.executor),
            "secrets": _part(health.secrets),
        }
        response = Response(
            json.dumps(body).encode(),
            200 if health.well else 503,
            media_type="application/json",
        )
        await response(scope, receive, send)

    return answer


def _part(part: Part) -> dict[str, str]:
    told: dict[str, str] = {"status": part.status}
    return told if part.detail is None else {**told, "detail": part.detail}
