"""An app that is made while others are answered already."""

from __future__ import annotations

import threading

import httpx
import pytest
from leoflow_controlplane.rest.answer import refusal
from leoflow_controlplane.server.later import Later
from starlette.types import ASGIApp


async def _ask(app: ASGIApp) -> int:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
        return (await client.get("/")).status_code


async def test_a_request_waits_for_an_app_that_is_not_made_yet() -> None:
    made = threading.Event()

    def make() -> ASGIApp:
        made.wait(10)
        return refusal(418, "made")

    later = Later(make)
    made.set()

    assert await _ask(later) == 418
    await later.ready()


async def test_an_app_that_cannot_be_made_is_no_secret() -> None:
    def make() -> ASGIApp:
        raise RuntimeError("no app")

    with pytest.raises(RuntimeError, match="no app"):
        await Later(make).ready()
