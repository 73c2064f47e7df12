"""DAG runs: made, found, ended, run again, waited for."""

from __future__ import annotations

import json

import httpx
import pytest
from conftest import World, built_dag
from leoflow_controlplane.model import RunKey
from leoflow_controlplane.schema import runs
from sqlalchemy import select
from streaming import opened

RUNS = "/api/v2/dags/d/dagRuns"


async def test_a_run_is_made_as_it_was_asked_for(api: httpx.AsyncClient, world: World) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    body = {
        "dag_run_id": "mine",
        "logical_date": "2026-03-01T00:00:00+01:00",
        "conf": {"ä": [1, None]},
        "note": "why",
    }
    answer = await api.post(RUNS, json=body, headers={"traceparent": trace})
    run = answer.json()
    assert (answer.status_code, run["dag_run_id"], run["state"]) == (200, "mine", "running")
    assert run["logical_date"] == "2026-03-01T00:00:00+01:00"
    assert (run["conf"], run["note"]) == ({"ä": [1, None]}, "why")
    assert (run["run_type"], run["triggering_user_name"]) == ("manual", "admin")
    query = select(runs.c.traceparent).where(runs.c.run_id == "mine")
    assert await world.store.read(lambda c: c.execute(query).scalar_one()) == trace


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({"dag_run_id": "r"}, 409, "already"),
        ({"dag_run_id": "a/b"}, 422, "pattern"),
        ({"conf": [1]}, 422, "dictionary"),
        ({"confg": {}}, 422, "confg"),
        ({"run_after": "2026-01-01T00:00:00Z"}, 422, "run_after"),
        ({"logical_date": "2026-01-01"}, 422, "timezone"),
        ({"data_interval_start": "2026-01-01T00:00:00Z"}, 422, "both"),
    ],
)
async def test_what_makes_no_sense_is_refused(
    api: httpx.AsyncClient, body: dict[str, object], status: int, says: str
) -> None:
    answer = await api.post(RUNS, json=body)
    assert answer.status_code == status, answer.text
    assert says in answer.text


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["r", "s", "t"]),
        ("order_by=-id", ["t", "s", "r"]),
        # What is equal is in the order in which it was made, or against it.
        ("order_by=dag_id", ["r", "s", "t"]),
        ("order_by=-dag_id", ["t", "s", "r"]),
        ("order_by=-end_date&order_by=run_id", ["s", "r", "t"]),
        ("state=success", ["s"]),
        ("state=success&state=running", ["r", "s", "t"]),
        ("run_type=scheduled", []),
        ("run_id_pattern=S", ["s"]),
        ("limit=1&offset=2", ["t"]),
        ("limit=0", []),
        ("dag_version=2", []),
        ("dag_version=99999999999", []),
        ("end_date_gte=2000-01-01T00:00:00Z", ["s"]),
        ("run_after_lt=2000-01-01T00:00:00Z", []),
    ],
)
async def test_runs_are_found(api: httpx.AsyncClient, query: str, found: list[str]) -> None:
    for name in ("s", "t"):
        await api.post(RUNS, json={"dag_run_id": name})
    await api.patch(f"{RUNS}/s", json={"state": "success"})
    for dag in ("d", "~"):
        answer = await api.get(f"/api/v2/dags/{dag}/dagRuns?{query}")
        assert [run["dag_run_id"] for run in answer.json()["dag_runs"]] == found, answer.text


async def test_the_total_counts_all_pages(api: httpx.AsyncClient) -> None:
    await api.post(RUNS, json={"dag_run_id": "s"})
    answer = (await api.get(f"{RUNS}?limit=1")).json()
    assert (len(answer["dag_runs"]), answer["total_entries"]) == (1, 2)


async def test_an_order_that_is_unknown_is_named(api: httpx.AsyncClient) -> None:
    answer = await api.get(f"{RUNS}?order_by=-conf")
    assert answer.status_code == 400
    assert "'-conf'" in answer.json()["detail"]


async def test_a_note_is_left_without_a_change_of_state(api: httpx.AsyncClient) -> None:
    run = (await api.patch(f"{RUNS}/r", json={"note": "look"})).json()
    assert (run["note"], run["state"]) == ("look", "running")
    assert (await api.patch(f"{RUNS}/r", json={"note": None})).json()["note"] is None
    assert (await api.patch(f"{RUNS}/r", json={})).status_code == 400


async def test_clearing_tells_first_and_does_then(api: httpx.AsyncClient) -> None:
    await api.patch(f"{RUNS}/r/taskInstances/a", json={"new_state": "failed"})
    told = (await api.post(f"{RUNS}/r/clear", json={"only_failed": True})).json()
    assert [one["task_id"] for one in told["task_instances"]] == ["a"]
    assert told["task_instances"][0]["state"] == "failed"
    await api.post(f"{RUNS}/r/clear", json={"only_failed": True, "dry_run": False})
    assert (await api.get(f"{RUNS}/r/taskInstances/a")).json()["state"] == "scheduled"


async def test_clearing_may_reach_into_other_runs(api: httpx.AsyncClient) -> None:
    for name in ("s", "t"):
        await api.post(RUNS, json={"dag_run_id": name})
    body = {"dag_run_id": "s", "include_future": True, "task_ids": ["a"], "only_failed": False}
    told = (await api.post("/api/v2/dags/d/clearTaskInstances", json=body)).json()
    assert [one["dag_run_id"] for one in told["task_instances"]] == ["s", "t"]


async def test_waiting_tells_each_change_and_asks_nothing_in_between(
    api: httpx.AsyncClient, world: World
) -> None:
    key = RunKey("d", "r")
    async with opened(world.app, f"{RUNS}/r/wait?result=a&result=none") as stream:
        assert json.loads(await stream.next() or "") == {"state": "running"}
        reads = world.store.reads
        await world.commands.play_try(key, "a", gone=False)
        await world.commands.set_run_state(key, "success")
        # It is over when nothing more will be known of its containers.
        await world.commands.play_try(key, "a", value=[1])
        assert json.loads(await stream.next() or "") == {
            "state": "success",
            "results": {"a": [1], "none": None},
        }
        assert await stream.next() is None
        # One look for each ring, and one for the results.
        assert world.store.reads - reads <= 5


async def test_waiting_for_what_does_not_exist_is_refused(api: httpx.AsyncClient) -> None:
    assert (await api.get(f"{RUNS}/x/wait")).status_code == 404


async def test_runs_of_other_processes_are_not_the_servers(
    api: httpx.AsyncClient, world: World
) -> None:
    await api.post("/api/v2/dags", json=built_dag("e"))
    await world.store.run(lambda c: c.execute(runs.update().values(instance_id="a process")))
    assert (await api.get("/api/v2/dags/~/dagRuns")).json()["total_entries"] == 0
    assert (await api.get(f"{RUNS}/r")).status_code == 404
