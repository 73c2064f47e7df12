"""The endpoints of the REST API put together. Takes longer to import and to make than the rest of a
server: see `server.later`.
"""

from __future__ import annotations

from importlib.metadata import version as version_of

from fastapi import Depends, FastAPI, Security
from fastapi.security import HTTPBearer
from starlette.middleware import Middleware

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
from leoflow_controlplane.rest.app import DEFAULTS, RestLimits
from leoflow_controlplane.rest.asking import refuse_unknown
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
