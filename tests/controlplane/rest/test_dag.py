"""DAGs as Airflow's clients see them."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from conftest import World, built_dag
from leoflow_controlplane.schema import dags
from sqlalchemy import update

DAGS = "/api/v2/dags"


async def ids(api: httpx.AsyncClient, query: str) -> list[str]:
    """List DAGs and give their ids."""
    answer = await api.get(f"{DAGS}?{query}")
    assert answer.status_code == 200, answer.text
    return [dag["dag_id"] for dag in answer.json()["dags"]]


async def test_a_push_is_created_once_and_known_after(api: httpx.AsyncClient) -> None:
    again = await api.post(DAGS, json=built_dag())
    assert (again.status_code, again.json()["version_number"]) == (200, 1)
    changed = await api.post(DAGS, json=built_dag("d", "a", description="another"))
    assert (changed.status_code, changed.json()["version_number"]) == (201, 2)
    listed = (await api.get(f"{DAGS}/d/dagVersions")).json()
    assert [version["version_number"] for version in listed["dag_versions"]] == [1, 2]


async def test_a_field_that_is_unknown_is_named(api: httpx.AsyncClient) -> None:
    document = built_dag()
    document["spec"]["tasks"][0]["retrys"] = 3
    answer = await api.post(DAGS, json=document)
    assert answer.status_code == 422
    assert any("retrys" in mistake["loc"] for mistake in answer.json()["detail"])


async def test_what_the_control_plane_refuses_is_told(api: httpx.AsyncClient) -> None:
    answer = await api.post(DAGS, json=built_dag("e", "a", "a"))
    assert (answer.status_code, answer.json()["detail"]) == (
        422,
        "DAG 'e' has two tasks of the same name.",
    )


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["d", "e", "f"]),
        ("order_by=-dag_id", ["f", "e", "d"]),
        ("limit=1&offset=1", ["e"]),
        ("dag_id_pattern=E", ["e"]),
        ("dag_id_pattern=~", ["d", "e", "f"]),
        ("tags=x", ["e"]),
        ("tags=x&tags=y", ["e", "f"]),
        ("tags=x&tags=y&tags_match_mode=all", []),
        ("paused=true", ["f"]),
        ("last_dag_run_state=running", ["d"]),
        ("order_by=next_dagrun&order_by=-dag_id", ["f", "e", "d"]),
    ],
)
async def test_dags_are_found(api: httpx.AsyncClient, query: str, found: list[str]) -> None:
    await api.post(DAGS, json=built_dag("e", tags=["x"]))
    await api.post(DAGS, json=built_dag("f", tags=["y"]))
    await api.patch(f"{DAGS}/f", json={"is_paused": True})
    assert await ids(api, query) == found


async def test_details_say_what_the_version_says(api: httpx.AsyncClient) -> None:
    spec: dict[str, Any] = {
        "schedule": {"kind": "cron", "cron": "0 6 * * *"},
        "timezone": "Europe/Berlin",
        "start_date": "2026-01-01T00:00:00+01:00",
        "params": {"limit": 3},
        "dagrun_timeout_seconds": 90.0,
        "max_active_runs": 2,
    }
    await api.post(DAGS, json=built_dag("e", **spec))
    details = (await api.get(f"{DAGS}/e/details")).json()
    assert details["timetable_summary"] == "0 6 * * *"
    assert details["timezone"] == "Europe/Berlin"
    assert details["start_date"] == "2026-01-01T00:00:00+01:00"
    assert details["params"]["limit"]["value"] == 3
    assert details["dag_run_timeout"] == "PT1M30S"
    assert (details["max_active_runs"], details["concurrency"]) == (2, 16)
    assert details["latest_dag_version"]["bundle_name"] == "leoflow/e:1"


@pytest.mark.parametrize(
    ("last", "logical_date"),
    [
        # As in Airflow: instants follow one another, intervals begin where the last one ended.
        ((0.0, 0.0), "1970-01-02T00:00:00Z"),
        ((-86400.0, 0.0), "1970-01-01T00:00:00Z"),
        ((None, None), None),
    ],
)
async def test_the_next_run_is_told(
    api: httpx.AsyncClient,
    world: World,
    last: tuple[float | None, float | None],
    logical_date: str | None,
) -> None:
    row = {"last_interval_start": last[0], "last_interval_end": last[1], "next_run_at": 86400.0}
    await world.store.run(lambda c: c.execute(update(dags).values(row)))
    dag = (await api.get(f"{DAGS}/d")).json()
    assert dag["next_dagrun_run_after"] == "1970-01-02T00:00:00Z"
    assert dag["next_dagrun_logical_date"] == logical_date
    assert dag["next_dagrun_data_interval_start"] == logical_date
    end = logical_date and dag["next_dagrun_run_after"]
    assert dag["next_dagrun_data_interval_end"] == end


async def test_a_dag_in_place_of_a_deleted_one_shows_what_it_says_itself(
    api: httpx.AsyncClient,
) -> None:
    """SQLite gives the key of a version that was deleted to the next one."""
    await api.post(DAGS, json=built_dag("e", tags=["old"]))
    assert await ids(api, "tags=old") == ["e"]
    await api.delete(f"{DAGS}/e")
    await api.post(DAGS, json=built_dag("f", tags=["new"]))
    assert await ids(api, "tags=new") == ["f"]


async def test_a_dag_is_forgotten_once_its_runs_are_over(api: httpx.AsyncClient) -> None:
    assert (await api.delete(f"{DAGS}/d")).status_code == 409
    await api.patch(f"{DAGS}/d/dagRuns/r", json={"state": "failed"})
    assert (await api.delete(f"{DAGS}/d")).status_code == 204
    assert (await api.get(f"{DAGS}/d")).status_code == 404


async def test_a_specification_is_read_once(api: httpx.AsyncClient, world: World) -> None:
    await api.get(DAGS)
    summaries = world.office.summaries
    kept = dict(summaries._kept)
    await api.get(DAGS)
    assert all(summaries._kept[key] is value for key, value in kept.items())
