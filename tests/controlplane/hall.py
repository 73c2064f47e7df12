"""The whole server in one process: real HTTP, real database; only the tries are played."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from house import make_dag
from leoflow_agent import exitcode
from leoflow_agent.spec import BuiltDag, ImageRef, TaskSpec
from leoflow_agent.wire import Acknowledgement, Inputs, Report
from leoflow_controlplane.error import Stale
from leoflow_controlplane.executor.fake import FakeExecutor, FakeMachine, Script, succeed
from leoflow_controlplane.executor.protocol import Site
from leoflow_controlplane.server.serving import Server
from leoflow_controlplane.serversetting import read_server_settings
from leoflow_controlplane.verdict import Exit
from pydantic import TypeAdapter

BUILT = TypeAdapter(BuiltDag)


class HttpDesk:
    """Takes what an agent says to the server's own port."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def take_report(self, token: str, report: Report) -> Acknowledgement:
        answer = await self._client.post("/agent/v1/events", json=report, headers=_bearer(token))
        taken: Acknowledgement = _read(answer)
        return taken

    async def give_inputs(self, token: str) -> Inputs:
        inputs: Inputs = _read(await self._client.get("/agent/v1/inputs", headers=_bearer(token)))
        return inputs


class Hall:
    """A server that runs, its admin's client, and what its executor did."""

    def __init__(self, server: Server, api: httpx.AsyncClient) -> None:
        self.server = server
        self.api = api
        self.executors: list[FakeExecutor] = []
        self.desk = HttpDesk(api)

    @property
    def executor(self) -> FakeExecutor:
        """The executor of the present leader."""
        return self.executors[-1]

    async def push(self, *tasks: TaskSpec, **fields: Any) -> None:
        """Push a DAG."""
        built = BuiltDag(make_dag(*tasks, **fields), ImageRef("image", None, "linux/amd64"))
        body = BUILT.dump_json(built)
        answer = await self.api.post("/api/v2/dags", content=body, headers=_JSON)
        assert answer.status_code in (200, 201), answer.text

    async def trigger(self, run_id: str, dag_id: str = "d") -> None:
        """Make a run."""
        body = {"dag_run_id": run_id}
        answer = await self.api.post(f"/api/v2/dags/{dag_id}/dagRuns", json=body)
        assert answer.status_code == 200, answer.text

    async def wait(self, run_id: str, dag_id: str = "d") -> str:
        """Wait for the end of a run, and give its state."""
        answer = await self.api.get(f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/wait")
        state: str = json.loads(answer.text.splitlines()[-1])["state"]
        return state


_JSON = {"Content-Type": "application/json"}


def speaking(hall: Hall, script: Script) -> Script:
    """Play ``script`` over the network."""

    async def play(agent: Any) -> Exit:
        agent.turn_to(hall.desk)
        try:
            return await script(agent)
        except httpx.TransportError:
            # The server ended before it had answered; it is asked no more.
            return Exit(exitcode.TERMINATED)

    return play


@asynccontextmanager
async def open_hall(
    home: Path, script: Script = succeed, machine: FakeMachine | None = None, **flags: Any
) -> AsyncIterator[Hall]:
    """Run a server in this loop until the context ends, once it leads and has its admin."""
    settings = read_server_settings(home, {"port": 0, **flags}, {})

    async def factory(site: Site) -> FakeExecutor:
        hall.executors.append(FakeExecutor(site.desk, speaking(hall, script), machine))
        return hall.executors[-1]

    server = Server(settings, lambda _: None, factory=factory)
    task = asyncio.create_task(server.run())
    try:
        async with asyncio.timeout(120), httpx.AsyncClient(timeout=30) as api:
            hall = Hall(server, api)
            await until(lambda: task.done() or (home / "admin.token").exists())
            if task.done():
                task.result()
            await server.started.wait()
            api.base_url = httpx.URL(server.url)
            api.headers["Authorization"] = f"Bearer {(home / 'admin.token').read_text().strip()}"
            while (await api.get("/health")).json()["leads"] is not True:
                await asyncio.sleep(0.01)
            # The file is there before the token counts.
            while (await api.get("/api/v2/dags")).status_code == 401:
                await asyncio.sleep(0.01)
            yield hall
    finally:
        server.stop()
        await asyncio.wait_for(task, 120)


async def until(look: Callable[[], Any]) -> None:
    """Wait until ``look`` finds something, for as long as the hall may be open."""
    while not look():
        await asyncio.sleep(0.01)


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _read(answer: httpx.Response) -> Any:
    if answer.status_code == 409:
        raise Stale(answer.text)
    answer.raise_for_status()
    return answer.json()
