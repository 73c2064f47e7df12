"""What stands before the REST API."""

from __future__ import annotations

from typing import NamedTuple

from starlette.types import ASGIApp, Receive, Scope, Send

from leoflow_controlplane.auth.attempt import Attempts
from leoflow_controlplane.auth.gate import Gate
from leoflow_controlplane.auth.keyring import Keyring
from leoflow_controlplane.rest.bodylimit import BodyLimit
from leoflow_controlplane.rest.crowd import Crowd
from leoflow_controlplane.rest.header import SafeHeaders


class RestLimits(NamedTuple):
    """How many are answered at once; ``docs``: whether FastAPI's pages are there."""

    requests: int = 100
    streams: int = 1000
    docs: bool = False


DEFAULTS = RestLimits()


class RestApp:
    """The app for everything that is not agents', metrics or /health: ``api`` (see `rest.api`) and
    what stands before it."""

    def __init__(self, api: ASGIApp, keyring: Keyring, limits: RestLimits = DEFAULTS) -> None:
        self.keyring = keyring
        gate = Gate(BodyLimit(api), keyring, Attempts(keyring.clock))
        self._crowd = Crowd(gate, limits.requests, limits.streams)
        self._app: ASGIApp = SafeHeaders(self._crowd)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        await self._app(scope, receive, send)

    def end_streams(self) -> None:
        """Cut off what stays open until something happens: nothing will."""
        self._crowd.end_streams()
