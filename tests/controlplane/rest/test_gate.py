"""Nobody gets past the gate who may not, whatever route there is."""

from __future__ import annotations

import httpx
import pytest
from conftest import World, shared_api
from leoflow_controlplane.auth.attempt import MOST_FAILURES, WINDOW_SECONDS
from leoflow_controlplane.auth.gate import OPEN
from leoflow_controlplane.auth.keyring import MEMORY_SECONDS, USES_SECONDS
from leoflow_controlplane.auth.token import hash_token, make_token
from leoflow_controlplane.store.token import add_token

TOKENS = "/api/v2/tokens"


def routes() -> list[tuple[str, str]]:
    """Give the method and the path of every operation."""
    paths = shared_api().openapi()["paths"]
    return [(method.upper(), path) for path, item in paths.items() for method in item]


async def test_every_route_is_behind_the_gate(world: World) -> None:
    found = routes()
    assert len(found) > 50
    async with world.client(None) as anonymous, world.client("viewer") as viewer:
        for method, path in found:
            without = (await anonymous.request(method, path, json={})).status_code
            assert (without == 401) != (path in OPEN), (method, path)
            status = (await viewer.request(method, path, json={})).status_code
            allowed = method == "GET" and not path.startswith(TOKENS)
            assert (status != 403) == allowed, (method, path, status)


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Basic YWRtaW46YWRtaW4=", "admin", "Bearer Admin"]
)
async def test_what_is_no_known_token_is_refused(world: World, header: str) -> None:
    async with world.client(None) as client:
        answer = await client.get("/api/v2/dags", headers={"Authorization": header})
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_a_path_that_does_not_exist_needs_a_token_as_well(world: World) -> None:
    async with world.client(None) as client:
        assert (await client.get("/api/v2/nothing")).status_code == 401


async def test_a_token_is_told_once_and_good_until_it_is_deleted(
    api: httpx.AsyncClient, world: World
) -> None:
    made = (await api.post(TOKENS, json={"name": "ci", "role": "viewer"})).json()
    async with world.client(made["token"]) as client:
        assert (await client.get("/api/v2/dags")).status_code == 200
        assert made["token"] not in (await api.get(TOKENS)).text
        assert (await api.delete(f"{TOKENS}/{made['id']}")).status_code == 204
        assert (await client.get("/api/v2/dags")).status_code == 401


async def test_a_token_expires_though_it_is_remembered(
    api: httpx.AsyncClient, world: World
) -> None:
    token = make_token()
    await world.store.run(
        add_token, "short", "viewer", hash_token(token), world.now, world.now + MEMORY_SECONDS / 2
    )
    async with world.client(token) as client:
        assert (await client.get("/api/v2/dags")).status_code == 200
        world.now += MEMORY_SECONDS / 2
        assert (await client.get("/api/v2/dags")).status_code == 401


@pytest.mark.parametrize("end", ["9999-12-31T23:00:00-14:00", "0001-01-01T00:00:00+14:00"])
async def test_a_token_that_expires_beyond_all_dates_is_refused(
    api: httpx.AsyncClient, end: str
) -> None:
    """It could not be shown, and neither could any list that it was on."""
    answer = await api.post(TOKENS, json={"name": "x", "role": "viewer", "expires_at": end})
    assert (answer.status_code, "in the years 1 to 9999" in answer.text) == (422, True)
    assert (await api.get(TOKENS)).status_code == 200


async def test_the_last_admin_cannot_lock_everybody_out(api: httpx.AsyncClient) -> None:
    admin = next(t for t in (await api.get(TOKENS)).json()["tokens"] if t["role"] == "admin")
    assert (await api.delete(f"{TOKENS}/{admin['id']}")).status_code == 409


async def test_a_known_token_costs_no_look_into_the_store(
    api: httpx.AsyncClient, world: World
) -> None:
    await api.get("/api/v2/version")
    before = world.store.reads
    await api.get("/api/v2/dags")
    assert world.store.reads - before == 1


async def test_uses_are_written_seldom(api: httpx.AsyncClient, world: World) -> None:
    async def last_used() -> str:
        tokens = (await api.get(TOKENS)).json()["tokens"]
        return str(next(token["last_used_at"] for token in tokens if token["name"] == "admin"))

    first = await last_used()
    world.now += USES_SECONDS / 2
    assert await last_used() == first
    world.now += USES_SECONDS
    await api.get(TOKENS)
    assert await last_used() != first


async def test_who_tries_tokens_is_slowed_down_and_nobody_else(
    api: httpx.AsyncClient, world: World
) -> None:
    async with world.client("guess") as client:
        for _ in range(MOST_FAILURES):
            assert (await client.get("/api/v2/dags")).status_code == 401
        reads = world.store.reads
        slowed = await client.get("/api/v2/dags")
        assert (slowed.status_code, int(slowed.headers["retry-after"]) > 0) == (429, True)
        assert world.store.reads == reads
        assert (await api.get("/api/v2/dags")).status_code == 200
        world.now += WINDOW_SECONDS + 1
        assert (await client.get("/api/v2/dags")).status_code == 401
