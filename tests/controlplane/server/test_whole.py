"""The REST API before the real control plane, on its tables: tries are played, nothing else is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import httpx
from leoflow_controlplane.auth.keyring import Keyring
from leoflow_controlplane.auth.token import hash_token
from leoflow_controlplane.controlplane import ControlPlane, Role
from leoflow_controlplane.database import Database
from leoflow_controlplane.executor.fake import FakeAgent, fake_executor
from leoflow_controlplane.rest.api import make_api
from leoflow_controlplane.rest.app import RestApp
from leoflow_controlplane.rest.office import Office
from leoflow_controlplane.scheduler import wall_clock
from leoflow_controlplane.server.seat import Seat
from leoflow_controlplane.setting import Settings
from leoflow_controlplane.store.token import add_token
from leoflow_controlplane.verdict import Exit

GOLDEN = Path(__file__).parents[2] / "golden" / "built-dag.json"


async def talk(agent: FakeAgent) -> Exit:
    """Play a task that prints and returns its task_id."""
    await agent.start()
    await agent.send([agent.add("log", stream="stdout", text="hello")])
    return Exit(await agent.finish(value=agent.launch.key.task_id))


def document() -> dict[str, Any]:
    """Give a DAG of two tasks, the second of which reads what the first returns."""
    built: dict[str, Any] = json.loads(GOLDEN.read_text())
    first, second = built["spec"]["tasks"][:2]
    first["variables"], second["connections"], second["artifacts"] = [], [], False
    built["spec"]["tasks"] = [first, second]
    return built


async def test_a_dag_is_pushed_run_and_looked_at(tmp_path: Path) -> None:
    seat = Seat("http://here", wall_clock)

    async def opened(database: Database) -> None:
        seat.database = database

    role = Role(is_server=True, opened=opened)
    settings = Settings(max_parallel_tasks=4)
    async with ControlPlane(tmp_path, fake_executor(talk), settings, role=role) as plane:
        seat.take(plane)
        await seat.run(add_token, "admin", "admin", hash_token("t"), 0.0, None)
        office = Office(
            commands=seat.commands,
            reader=seat,
            writer=seat,
            watch=seat.watch,
            secrets=cast(Any, None),
            probe=seat.probe,
            slots=4,
            clock=wall_clock,
        )
        app = RestApp(make_api(office), Keyring(seat, seat, wall_clock))
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app),
            base_url="http://here/api/v2",
            headers={"Authorization": "Bearer t"},
        ) as api:
            await look_at_a_run(api)
        assert (await seat.probe()).well


async def look_at_a_run(api: httpx.AsyncClient) -> None:
    """Push, trigger, wait, and read what is left."""
    assert (await api.post("/dags", json=document())).status_code == 201
    assert (await api.post("/dags", json=document())).status_code == 200
    made = await api.post("/dags/golden/dagRuns", json={"dag_run_id": "r"})
    assert made.status_code == 200, made.text
    run = "/dags/golden/dagRuns/r"
    lines = (await api.get(f"{run}/wait?result=total")).text.splitlines()
    assert json.loads(lines[-1]) == {"state": "success", "results": {"total": "total"}}
    shown = (await api.get(f"{run}/taskInstances")).json()["task_instances"]
    assert [(one["task_id"], one["state"]) for one in shown] == [
        ("extract", "success"),
        ("total", "success"),
    ]
    assert all(one["timeline_ms"]["total"] >= 0 for one in shown)
    log = (await api.get(f"{run}/taskInstances/extract/logs/1")).json()
    assert [line["event"] for line in log["content"]] == ["hello"]
    assert log["continuation_token"] is None
    cleared = {"dag_run_id": "r", "task_ids": ["total"], "only_failed": False, "dry_run": False}
    assert (await api.post("/dags/golden/clearTaskInstances", json=cleared)).status_code == 200
    await api.get(f"{run}/wait")
    tries = (await api.get(f"{run}/taskInstances/total/tries")).json()["task_instances"]
    assert [one["try_number"] for one in tries] == [1, 2]
    assert (await api.post("/dags/golden/dagRuns", json={"dag_run_id": "r"})).status_code == 409
    assert (await api.delete("/dags/golden")).status_code == 204
