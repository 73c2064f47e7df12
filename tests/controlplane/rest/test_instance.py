"""Task instances, their tries, what they wrote and what they left."""

from __future__ import annotations

import json

import httpx
import pytest
from conftest import World
from leoflow_controlplane.model import RunKey
from leoflow_controlplane.rest.log import PAGE_ROWS
from streaming import opened

KEY = RunKey("d", "r")
INSTANCES = "/api/v2/dags/d/dagRuns/r/taskInstances"


async def test_an_instance_shows_its_latest_try(api: httpx.AsyncClient, world: World) -> None:
    await world.commands.play_try(KEY, "a", state="failed")
    await world.commands.play_try(KEY, "a", try_number=2)
    shown = (await api.get(f"{INSTANCES}/a")).json()
    assert (shown["state"], shown["try_number"]) == ("success", 2)
    assert shown["timeline_ms"]["total"] == 1000
    assert (shown["pool"], shown["queue"], shown["operator"]) == ("default_pool", None, "python")
    # Airflow's is what the task itself names, not where it ran.
    assert shown["executor"] is None
    tries = (await api.get(f"{INSTANCES}/a/tries")).json()["task_instances"]
    assert [(one["try_number"], one["state"]) for one in tries] == [(1, "failed"), (2, "success")]
    assert (await api.get(f"{INSTANCES}/a/tries/1")).json()["state"] == "failed"
    assert (await api.get(f"{INSTANCES}/a/tries/3")).status_code == 404


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["a", "b"]),
        ("order_by=-task_id", ["b", "a"]),
        ("state=success", ["a"]),
        ("state=none&state=scheduled", ["b"]),
        ("task_id=b", ["b"]),
        ("task_display_name_pattern=A", ["a"]),
        ("start_date_gte=2000-01-01T00:00:00Z", ["a"]),
    ],
)
async def test_instances_are_found(
    api: httpx.AsyncClient, world: World, query: str, found: list[str]
) -> None:
    await world.commands.play_try(KEY, "a")
    for place in ("d/dagRuns/r", "~/dagRuns/~"):
        answer = await api.get(f"/api/v2/dags/{place}/taskInstances?{query}")
        assert [one["task_id"] for one in answer.json()["task_instances"]] == found, answer.text


async def test_a_state_is_set_and_a_note_left(api: httpx.AsyncClient) -> None:
    body = {"new_state": "skipped", "note": "n"}
    told = (await api.patch(f"{INSTANCES}/a/dry_run", json=body)).json()
    assert told["task_instances"][0]["state"] == "scheduled"
    done = (await api.patch(f"{INSTANCES}/a", json=body)).json()["task_instances"][0]
    assert (done["state"], done["note"]) == ("skipped", "n")
    assert (await api.patch(f"{INSTANCES}/a", json={})).status_code == 400
    assert (await api.patch(f"{INSTANCES}/a/7", json=body)).status_code == 404
    assert (await api.patch(f"{INSTANCES}/x", json=body)).status_code == 404


async def test_logs_come_by_pages_until_the_end(api: httpx.AsyncClient, world: World) -> None:
    lines = [f"line {number}" for number in range(PAGE_ROWS + 1)]
    await world.commands.play_try(KEY, "a", *lines)
    first = (await api.get(f"{INSTANCES}/a/logs/1")).json()
    assert len(first["content"]) == PAGE_ROWS
    second = (await api.get(f"{INSTANCES}/a/logs/1?token={first['continuation_token']}")).json()
    assert [line["event"] for line in second["content"]] == lines[-1:]
    assert second["continuation_token"] is None
    whole = (await api.get(f"{INSTANCES}/a/logs/1?full_content=true")).json()
    assert [line["event"] for line in whole["content"]] == lines


async def test_the_log_of_a_try_that_runs_can_be_asked_for_again(
    api: httpx.AsyncClient, world: World
) -> None:
    await world.commands.play_try(KEY, "a", "begun", state=None)
    token = (await api.get(f"{INSTANCES}/a/logs/1")).json()["continuation_token"]
    nothing = (await api.get(f"{INSTANCES}/a/logs/1?token={token}")).json()
    assert (nothing["content"], nothing["continuation_token"]) == ([], token)


async def test_lines_are_streamed(api: httpx.AsyncClient, world: World) -> None:
    await world.commands.play_try(KEY, "a", "one", "two", state=None)
    answer = await api.get(f"{INSTANCES}/a/logs/1", headers={"Accept": "application/x-ndjson"})
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert [json.loads(line)["event"] for line in answer.text.splitlines()] == ["one", "two"]


async def test_a_log_is_followed_by_events_alone(api: httpx.AsyncClient, world: World) -> None:
    await world.commands.play_try(KEY, "a", "one", state=None)
    async with opened(world.app, f"{INSTANCES}/a/logs/1?follow=true") as stream:
        assert json.loads(await stream.next() or "")["event"] == "one"
        # Once it waits it has looked, and looks no more until it is told to.
        while not world.bell.waiting:
            await world.rest()
        reads = world.store.reads
        await world.rest()
        assert world.store.reads == reads
        await world.commands.play_try(KEY, "a", "two", state="success")
        assert json.loads(await stream.next() or "")["event"] == "two"
        assert await stream.next() is None


async def test_values_are_listed_without_being_shown(api: httpx.AsyncClient, world: World) -> None:
    await world.commands.play_try(KEY, "a", value={"x": 1})
    for place in ("d/dagRuns/r/taskInstances/a", "~/dagRuns/~/taskInstances/~"):
        listed = (await api.get(f"/api/v2/dags/{place}/xcomEntries")).json()
        assert listed["total_entries"] == 1
        assert "value" not in listed["xcom_entries"][0]
    value = f"{INSTANCES}/a/xcomEntries/return_value"
    assert (await api.get(value)).json()["value"] == {"x": 1}
    assert json.loads((await api.get(f"{value}?stringify=true")).json()["value"]) == {"x": 1}
    assert (await api.get(f"{INSTANCES}/b/xcomEntries/return_value")).status_code == 404


async def test_a_value_is_shown_that_utf8_cannot_spell(
    api: httpx.AsyncClient, world: World
) -> None:
    """Such as the name of a file that is in another encoding."""
    await world.commands.play_try(KEY, "a", value=["\udcff", "ä"])
    answer = await api.get(f"{INSTANCES}/a/xcomEntries/return_value")
    assert (answer.status_code, json.loads(answer.text)["value"]) == (200, ["\udcff", "ä"])


async def test_the_pool_counts_what_really_runs(api: httpx.AsyncClient, world: World) -> None:
    await world.commands.play_try(KEY, "a", state=None)
    pool = (await api.get("/api/v2/pools/default_pool")).json()
    counts = {name: pool[f"{name}_slots"] for name in ("running", "queued", "scheduled", "open")}
    assert counts == {"running": 1, "queued": 0, "scheduled": 1, "open": 3}


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", ""), ("PATCH", ""), ("PATCH", "/default_pool"), ("DELETE", "/default_pool")],
)
async def test_pools_cannot_be_made_or_changed(
    api: httpx.AsyncClient, method: str, path: str
) -> None:
    answer = await api.request(method, f"/api/v2/pools{path}")
    assert answer.status_code == 405
    assert "max_parallel_tasks" in answer.json()["detail"]
