"""Whatever is sent, what the OpenAPI document allows and what it does not: no 500, and each answer
is as the document says."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from conftest import World, built_dag, shared_api
from hypothesis import HealthCheck, Phase, given, settings
from leoflow_controlplane.auth.token import hash_token
from leoflow_controlplane.model import RunKey
from leoflow_controlplane.store.token import add_token
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from serving import served

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
# These stay open by design as long as the run is not over.
STREAMS = "/api/v2/dags/{dag_id}/dagRuns/{dag_run_id}/wait"


async def furnish(world: World) -> None:
    """Put something of everything into a world."""
    await world.store.run(add_token, "admin", "admin", hash_token("admin"), world.now, None)
    async with world.client() as client:
        for name in ("d", "e"):
            await client.post("/api/v2/dags", json=built_dag(name, "a", "b", tags=["t"]))
            await client.post(f"/api/v2/dags/{name}/dagRuns", json={"dag_run_id": "r"})
        await world.commands.play_try(RunKey("d", "r"), "a", "hello", value={"x": [1, None]})
        await client.post("/api/v2/variables", json={"key": "v", "value": {"token": 1}})
        connection = {"connection_id": "c", "conn_type": "http", "password": "p"}
        await client.post("/api/v2/connections", json=connection)
        dates = {"from_date": "2026-01-01T00:00:00Z", "to_date": "2026-01-02T00:00:00Z"}
        await client.post("/api/v2/backfills", json={"dag_id": "d", **dates})
        await client.patch("/api/v2/dags/d/dagRuns/r", json={"state": "success"})


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    world = World()
    asyncio.run(furnish(world))
    with served(world.app) as url:
        yield url
    world.store.close()


def operations() -> list[Any]:
    """Give every operation of the OpenAPI document."""
    schema = schemathesis.openapi.from_dict(shared_api().openapi())
    return [found.ok() for found in schema.get_all_operations() if found.ok().path != STREAMS]


def attack(operation: Any, address: str, examples: int) -> None:
    """Send an operation what hypothesis thinks of."""

    def send(case: Any) -> None:
        case.call_and_validate(
            base_url=address,
            checks=CHECKS,
            headers={"Authorization": "Bearer admin"},
            timeout=60,
        )

    strategy = operation.as_strategy() | operation.as_strategy(
        generation_mode=schemathesis.GenerationMode.NEGATIVE
    )
    limited = settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    limited(given(strategy)(send))()


@pytest.mark.parametrize("operation", operations(), ids=lambda operation: operation.label)
def test_nothing_that_is_sent_breaks_it(operation: Any, address: str) -> None:
    attack(operation, address, 2)


@pytest.mark.long
@pytest.mark.parametrize("operation", operations(), ids=lambda operation: operation.label)
def test_nothing_that_is_sent_in_a_long_time_breaks_it(operation: Any, address: str) -> None:
    attack(operation, address, 200)
