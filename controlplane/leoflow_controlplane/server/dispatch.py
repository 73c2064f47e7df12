"""Who answers what on the one port. Agents' requests are the many, and go past everything that is
there for people: no routing, no middleware, no look at a token's role."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from leoflow_controlplane.rest.answer import refusal

AGENT_PREFIX = "/agent/"


class Dispatch:
    """Chooses the app by the path. ``allowed_hosts``: what Host may be, anything if empty."""

    def __init__(
        self,
        agent: ASGIApp,
        health: ASGIApp,
        metrics: ASGIApp,
        rest: ASGIApp,
        allowed_hosts: Sequence[str] = (),
    ) -> None:
        self._agent = agent
        self._rest = rest
        self._exact = {"/health": health, "/metrics": metrics}
        self._allowed_hosts = frozenset(name.lower() for name in allowed_hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        path: str = scope["path"]
        if path.startswith(AGENT_PREFIX):
            await self._agent(scope, receive, send)
            return
        app = self._exact.get(path, self._rest)
        if self._allowed_hosts and path != "/health":
            host = Headers(scope=scope).get("host", "").rpartition(":")[0] or Headers(
                scope=scope
            ).get("host", "")
            if host.lower() not in self._allowed_hosts:
                app = refusal(400, f"the host '{host}' is none that this server answers to.")
        await app(scope, receive, send)
