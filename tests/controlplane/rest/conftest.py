"""A REST API over a control plane that is none, and clients of it."""

from __future__ import annotations

import asyncio
import functools
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import httpx
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from fakecommands import FakeCommands
from fakestore import FakeBell, FakeStore
from fastapi import FastAPI
from leoflow_controlplane.auth.keyring import Keyring
from leoflow_controlplane.auth.token import hash_token
from leoflow_controlplane.rest.api import make_api
from leoflow_controlplane.rest.app import RestApp
from leoflow_controlplane.rest.office import Health, Office, Part
from leoflow_controlplane.store.token import add_token
from leoflow_controlplane.storedsecrets import StoredSecrets
from leoflow_controlplane.vault import Vault
from starlette.types import ASGIApp


@functools.cache
def shared_api() -> FastAPI:
    """Make the endpoints once for all tests: their first requests take a while."""
    return make_api(cast(Office, None))


class World:
    """An API and all that is behind it. ``now`` is what its clock shows."""

    def __init__(self, store: FakeStore | None = None) -> None:
        self.now = 1_780_000_000.0
        self.store = store or FakeStore()
        self.bell = FakeBell()
        self.commands = FakeCommands(self.store, self.bell, self.tick)
        self.keyring = Keyring(self.store, self.store, lambda: self.now)
        self.health = Health(Part("healthy"), Part("healthy", seen_at=self.now), Part("healthy"))
        self.secrets = StoredSecrets(self.store, Vault([bytes(32)]), lambda: self.now)
        self.office = Office(
            commands=self.commands,
            reader=self.store,
            writer=self.store,
            watch=self.bell.watch,
            secrets=self.secrets,
            probe=self.probe,
            slots=4,
            clock=lambda: self.now,
            forget_tokens=self.keyring.forget,
        )
        api = shared_api()
        api.state.office = self.office
        self.app: ASGIApp = RestApp(api, self.keyring)

    def tick(self) -> float:
        self.now += 1
        return self.now

    async def rest(self) -> None:
        """Let everything run that can."""
        for _ in range(20):
            await asyncio.sleep(0)

    async def probe(self) -> Health:
        return self.health

    def client(self, token: str | None = "admin", app: ASGIApp | None = None) -> httpx.AsyncClient:
        """Make a client that shows a token, or none."""
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(app or self.app),
            base_url="http://leoflow",
            headers={} if token is None else {"Authorization": f"Bearer {token}"},
        )


def built_dag(dag_id: str = "d", *task_ids: str, **spec: Any) -> dict[str, Any]:
    """Give the document that is pushed."""
    return {
        "spec": {
            "dag_id": dag_id,
            "python_version": "3.11",
            "tasks": [task(name) for name in task_ids or ("a", "b")],
            **spec,
        },
        "image": {"reference": f"leoflow/{dag_id}:1", "digest": None, "platform": "linux/amd64"},
    }


def task(task_id: str) -> dict[str, Any]:
    """Give a task of a DAG that is pushed."""
    return {
        "task_id": task_id,
        "action": {"kind": "python", "module": "dag"},
        "resources": {"requests": {"cpu_millis": 100, "memory_bytes": 2**26}},
        "source": {"file": "dag.py", "line": 1},
    }


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World()
    for role in ("admin", "viewer"):
        await world.store.run(add_token, role, role, hash_token(role), world.now, None)
    yield world
    world.store.close()


@pytest.fixture
async def api(world: World) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an admin's, with the DAG 'd' and its run 'r'."""
    async with world.client() as client:
        assert (await client.post("/api/v2/dags", json=built_dag())).status_code == 201
        run = await client.post("/api/v2/dags/d/dagRuns", json={"dag_run_id": "r"})
        assert run.status_code == 200, run.text
        yield client
