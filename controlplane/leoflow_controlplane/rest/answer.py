"""The one shape of an answer that says no. Apart from `refusal`, for those that a request meets
before there is a REST API: FastAPI takes most of the time that a server needs to start.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from starlette.responses import Response


def refusal(status: int, detail: object, headers: Mapping[str, str] | None = None) -> Response:
    """Make the answer to a request that is refused."""
    body = json.dumps({"detail": detail}).encode()
    return Response(body, status, dict(headers or {}), "application/json")
