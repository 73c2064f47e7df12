"""What is secret stays so in a whole server, and what ails it is told to whoever asks."""

from __future__ import annotations

from pathlib import Path

from hall import Hall, open_hall
from house import make_task
from leoflow_controlplane.executor.fake import FakeAgent
from leoflow_controlplane.vault import make_key
from leoflow_controlplane.verdict import Exit

OLD, NEW = make_key(), make_key()


class Reading:
    """Plays tasks that look at their environment."""

    def __init__(self) -> None:
        self.hall: Hall | None = None
        self.found: dict[str, dict[str, str]] = {}

    async def play(self, agent: FakeAgent) -> Exit:
        assert self.hall is not None
        await agent.start()
        inputs = await self.hall.desk.give_inputs(agent.launch.workload["token"])
        self.found[agent.launch.key.task_id] = inputs["environment"]
        return Exit(await agent.finish())


async def test_a_try_gets_what_it_declares_and_nothing_else(tmp_path: Path) -> None:
    reading = Reading()
    async with open_hall(tmp_path, reading.play, secret_key=OLD) as hall:
        reading.hall = hall
        variable = {"key": "region", "value": "north"}
        connection = {"connection_id": "db", "conn_type": "postgres", "password": "geheim"}
        assert (await hall.api.post("/api/v2/variables", json=variable)).status_code == 201
        assert (await hall.api.post("/api/v2/connections", json=connection)).status_code == 201
        await hall.push(
            make_task("both", variables=("region",), connections=("db",)),
            make_task("none"),
        )
        await hall.trigger("r")
        assert await hall.wait("r") == "success"
    assert reading.found["none"] == {}
    both = reading.found["both"]
    assert both["AIRFLOW_VAR_REGION"] == "north"
    assert "geheim" in both["AIRFLOW_CONN_DB"]
    assert b"geheim" not in (tmp_path / "leoflow.db").read_bytes()


async def test_a_new_key_takes_over_at_the_next_start(tmp_path: Path) -> None:
    async with open_hall(tmp_path, secret_key=OLD) as hall:
        variable = {"key": "region", "value": "north"}
        assert (await hall.api.post("/api/v2/variables", json=variable)).status_code == 201
    async with open_hall(tmp_path, secret_key=f"{NEW},{OLD}") as hall:
        assert (await hall.api.get("/health")).json()["secrets"] == {"status": "healthy"}
    async with open_hall(tmp_path, secret_key=NEW) as hall:
        assert (await hall.api.get("/api/v2/variables/region")).json()["value"] == "north"


async def test_a_server_without_the_key_starts_and_says_so(tmp_path: Path) -> None:
    async with open_hall(tmp_path, secret_key=OLD) as hall:
        variable = {"key": "region", "value": "north"}
        assert (await hall.api.post("/api/v2/variables", json=variable)).status_code == 201
    async with open_hall(tmp_path, secret_key=NEW) as hall:
        health = await hall.api.get("/health")
        assert (health.status_code, health.json()["secrets"]["status"]) == (200, "unhealthy")
        assert "region" not in health.text
        await hall.push(make_task("a", variables=("region",)))
        await hall.trigger("r")
        assert await hall.wait("r") == "failed"
        shown = (await hall.api.get("/api/v2/dags/d/dagRuns/r/taskInstances/a")).json()
        assert "encrypted with a key" in shown["reason"]


async def test_trouble_of_the_executor_is_told(tmp_path: Path) -> None:
    async with open_hall(tmp_path) as hall:
        assert (await hall.api.get("/health")).json()["executor"] == {"status": "healthy"}
        hall.executor.trouble = "the engine does not answer"
        health = await hall.api.get("/health")
        told = {"status": "unhealthy", "detail": "the engine does not answer"}
        # What agents say can be acknowledged all the same.
        assert (health.status_code, health.json()["executor"]) == (200, told)


async def test_what_is_kept_is_its_owner_s_alone(tmp_path: Path) -> None:
    async with open_hall(tmp_path):
        names = {path.name for path in tmp_path.iterdir()}
        assert {"leoflow.db", "leoflow.db-wal", "leoflow.db-shm", "admin.token"} <= names
        kept = [*tmp_path.glob("leoflow.db*"), tmp_path / "admin.token"]
        kept += (tmp_path / "keys").iterdir()
        locks = {".opening", ".server"}
        modes = {p.name: p.stat().st_mode & 0o777 for p in kept if p.suffix not in locks}
    assert set(modes.values()) == {0o600}
