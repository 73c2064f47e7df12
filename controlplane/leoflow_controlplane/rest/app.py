"""The REST API put together, with what stands before it."""

from __future__ import annotations

from importlib.metadata import version as version_of
from typing import NamedTuple

from fastapi import Depends, FastAPI, Security
from fastapi.security import HTTPBearer
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from leoflow_controlplane.auth.attempt import Attempts
from leoflow_controlplane.auth.gate import Gate
from leoflow_controlplane.auth.keyring import Keyring
from leoflow_controlplane.rest import (
    backfill,
    clear,
    connection,
    dag,
    instance,
    log,
    monitor,
    pool,
    run,
    token,
    variable,
    version,
    wait,
    xcom,
)
from leoflow_controlplane.rest.asking import refuse_unknown
from leoflow_controlplane.rest.bodylimit import BodyLimit
from leoflow_controlplane.rest.crowd import Crowd
from leoflow_controlplane.rest.header import SafeHeaders
from leoflow_controlplane.rest.office import Office
from leoflow_controlplane.rest.refusal import Unexpected, answer_errors

_GUARDED = (
    dag,
    version,
    run,
    wait,
    clear,
    log,
    xcom,
    instance,
    pool,
    variable,
    connection,
    backfill,
    token,
)
_BEARER = HTTPBearer(auto_error=False, description="A token of 'leoflow server'")


class RestLimits(NamedTuple):
    """How many are answered at once; ``docs``: whether FastAPI's pages are there."""

    requests: int = 100
    streams: int = 1000
    docs: bool = False


DEFAULTS = RestLimits()


class RestApp:
    """The app for everything that is not agents', metrics or /health: ``api`` (see `make_api`) and
    what stands before it."""

    def __init__(self, api: FastAPI, keyring: Keyring, limits: RestLimits = DEFAULTS) -> None:
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


def make_api(office: Office, limits: RestLimits = DEFAULTS) -> FastAPI:
    """Make the endpoints alone: whoever gets here was let in."""
    app = FastAPI(
        title="leoflow",
        version=version_of("leoflow"),
        description="The part of Airflow's API v2 that leoflow answers. See docs/rest-api.md.",
        docs_url="/docs" if limits.docs else None,
        redoc_url=None,
        dependencies=[Depends(refuse_unknown)],
        middleware=[Middleware(Unexpected)],
        redirect_slashes=False,
    )
    app.state.office = office
    app.include_router(monitor.router)
    for module in _GUARDED:
        app.include_router(module.router, dependencies=[Security(_BEARER)])
    answer_errors(app)
    return app
