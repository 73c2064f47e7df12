"""Variables and connections: who sees what of them."""

from __future__ import annotations

import json

import httpx
from conftest import World
from leoflow_controlplane.schema import connections, variables
from sqlalchemy import select

VARIABLES, CONNECTIONS = "/api/v2/variables", "/api/v2/connections"
CONNECTION = {
    "connection_id": "warehouse",
    "conn_type": "postgres",
    "host": "db",
    "port": 5432,
    "login": "me",
    "password": "hush",
    "extra": json.dumps({"sslmode": "require", "api_key": "k"}),
}


async def test_values_are_sealed_in_the_store(api: httpx.AsyncClient, world: World) -> None:
    await api.post(VARIABLES, json={"key": "place", "value": "not for everybody"})
    await api.post(CONNECTIONS, json=CONNECTION)
    for table in (variables, connections):
        kept = await world.store.read(lambda c, t=table: c.execute(select(t.c.value)).scalar_one())
        assert b"hush" not in kept
        assert b"everybody" not in kept


async def test_an_admin_sees_what_has_no_secret_name(api: httpx.AsyncClient) -> None:
    for key, value in (("place", "here"), ("api_token", "t"), ("both", {"password": 1, "b": 2})):
        assert (await api.post(VARIABLES, json={"key": key, "value": value})).status_code == 201
    shown = {one["key"]: one["value"] for one in (await api.get(VARIABLES)).json()["variables"]}
    assert shown["place"] == "here"
    assert shown["api_token"] == "***"
    assert json.loads(shown["both"]) == {"password": "***", "b": 2}


async def test_a_viewer_sees_no_value(api: httpx.AsyncClient, world: World) -> None:
    await api.post(VARIABLES, json={"key": "place", "value": "here"})
    await api.post(CONNECTIONS, json=CONNECTION)
    async with world.client("viewer") as viewer:
        assert (await viewer.get(f"{VARIABLES}/place")).json()["value"] == "***"
        shown = (await viewer.get(f"{CONNECTIONS}/warehouse")).json()
        assert (shown["host"], shown["login"], shown["password"]) == ("db", "***", "***")
        assert json.loads(shown["extra"]) == {"sslmode": "***", "api_key": "***"}


async def test_a_password_is_shown_to_nobody_and_kept_by_its_mask(
    api: httpx.AsyncClient, world: World
) -> None:
    shown = (await api.post(CONNECTIONS, json=CONNECTION)).json()
    assert shown["password"] == "***"
    assert json.loads(shown["extra"]) == {"sslmode": "require", "api_key": "***"}
    change = {"password": "***", "host": "other"}
    answer = await api.patch(f"{CONNECTIONS}/warehouse", json=change)
    assert answer.json()["host"] == "other"
    assert world.secrets.connection("warehouse") is not None
    assert ":hush@other" in str(world.secrets.connection("warehouse"))


async def test_what_is_not_given_stays(api: httpx.AsyncClient, world: World) -> None:
    await api.post(VARIABLES, json={"key": "v", "value": "x", "description": "d"})
    changed = (await api.patch(f"{VARIABLES}/v", json={"description": "e"})).json()
    assert (changed["value"], changed["description"]) == ("x", "e")
    assert world.secrets.variable("v") == "x"


async def test_names_are_taken_once_and_freed(api: httpx.AsyncClient) -> None:
    for resource, body, name in (
        (VARIABLES, {"key": "v", "value": "x"}, "v"),
        (CONNECTIONS, CONNECTION, "warehouse"),
    ):
        assert (await api.post(resource, json=body)).status_code == 201
        assert (await api.post(resource, json=body)).status_code == 409
        assert (await api.delete(f"{resource}/{name}")).status_code == 204
        assert (await api.delete(f"{resource}/{name}")).status_code == 404
        assert (await api.get(f"{resource}/{name}")).status_code == 404


async def test_a_mistake_does_not_repeat_the_secret(api: httpx.AsyncClient) -> None:
    wrong = {**CONNECTION, "port": "hush-hush", "extra": "hush"}
    answer = await api.post(CONNECTIONS, json=wrong)
    assert answer.status_code == 422
    assert "hush" not in answer.text
