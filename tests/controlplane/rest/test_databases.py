"""What people read is the same on PostgreSQL as on SQLite: order, filters, what has no value."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from conftest import World, built_dag, shared_api
from fakestore import FakeStore
from leoflow_controlplane.auth.token import hash_token
from leoflow_controlplane.model import RunKey
from leoflow_controlplane.store.token import add_token

pytestmark = pytest.mark.postgresql

RUNS = "/dags/~/dagRuns"
TASKS = "/dags/d/dagRuns/r/taskInstances"
DATE = {"logical_date": "2026-03-01T00:00:00Z"}
ORDERS = {
    "/dags": ("dag_id", "-dag_id", "is_paused", "-last_run_start_date", "last_run_state"),
    RUNS: ("id", "-run_id", "state", "-logical_date", "start_date", "-end_date", "conf"),
    TASKS: ("task_id", "-state", "start_date", "-end_date", "duration", "-map_index"),
    "/variables": ("key", "-key"),
    "/connections": ("connection_id", "-conn_type"),
    "/backfills?dag_id=d": ("id", "-id"),
}
FILTERS = (
    "/dags?dag_id_pattern=D",
    "/dags?dag_id_pattern=~",
    "/dags?dag_id_pattern=d_",
    "/dags?tags=t&tags=u&tags_match_mode=all",
    "/dags?paused=true",
    "/dags?last_dag_run_state=success",
    "/dags/d/details",
    "/dags/d/dagVersions",
    RUNS + "?state=running&state=success",
    RUNS + "?run_id_pattern=R",
    RUNS + "?run_type=manual&limit=1&offset=1",
    RUNS + "?logical_date_gte=2026-01-01T00:00:00Z",
    TASKS + "?state=success",
    TASKS + "?state=none",
    TASKS + "/a",
    TASKS + "/a/tries",
    TASKS + "/a/logs/1",
    TASKS + "/a/xcomEntries",
    TASKS + "/a/xcomEntries/return_value",
    "/variables?variable_key_pattern=V",
    "/pools",
    "/tokens",
)


async def furnish(world: World, api: httpx.AsyncClient) -> None:
    """Put something of everything there, some of it without values."""
    await world.store.run(add_token, "admin", "admin", hash_token("admin"), world.now, None)
    for name in ("d", "D2", "other"):
        await api.post("/dags", json=built_dag(name, "a", "b", tags=["t", "u"][: len(name)]))
        for run in ("r", "R2"):
            await api.post(f"/dags/{name}/dagRuns", json={"dag_run_id": run, **DATE})
    await api.patch("/dags/other", json={"is_paused": True})
    await world.commands.play_try(RunKey("d", "r"), "a", "hello", value={"x": [1, None]})
    await api.patch("/dags/d/dagRuns/r", json={"state": "success"})
    for key in ("v", "V_2"):
        await api.post("/variables", json={"key": key, "value": "1"})
    await api.post("/connections", json={"connection_id": "c", "conn_type": "http"})
    dates = {"from_date": "2026-01-01T00:00:00Z", "to_date": "2026-01-02T00:00:00Z"}
    await api.post("/backfills", json={"dag_id": "d", **dates})


async def ask(world: World, paths: list[str]) -> dict[str, Any]:
    """Give the answer to each question."""
    shared_api().state.office = world.office
    async with world.client() as api:
        api.base_url = httpx.URL("http://leoflow/api/v2")
        await furnish(world, api)
        answers = {}
        for path in paths:
            answer = await api.get(path)
            answers[path] = (answer.status_code, answer.json())
    return answers


async def test_the_same_question_has_the_same_answer(postgresql_url: str) -> None:
    paths = [*ORDERS, *FILTERS]
    for path, orders in ORDERS.items():
        sign = "&" if "?" in path else "?"
        paths += [f"{path}{sign}order_by={order}" for order in orders]
    worlds = World(), World(FakeStore(postgresql_url))
    try:
        sqlite, postgresql = [await ask(world, paths) for world in worlds]
    finally:
        for world in worlds:
            world.store.close()
    assert {path: answer for path, answer in postgresql.items() if answer != sqlite[path]} == {}
    assert sum(status == 200 for status, _ in sqlite.values()) > len(FILTERS)
