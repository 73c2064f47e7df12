"""Who leads gives that up when its scheduler fails, so that runs go on: here, or elsewhere."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from house import make_dag, make_task
from leoflow_agent.spec import BuiltDag, ImageRef
from leoflow_controlplane.command import Trigger
from leoflow_controlplane.error import DatabaseUnusable, NotLeading
from leoflow_controlplane.executor.fake import FakeAgent, FakeExecutor, FakeMachine
from leoflow_controlplane.executor.protocol import Ended, Launch, Site
from leoflow_controlplane.model import RunKey
from leoflow_controlplane.scheduler import wall_clock
from leoflow_controlplane.server import reign
from leoflow_controlplane.server.reign import Reign
from leoflow_controlplane.server.seat import Seat
from leoflow_controlplane.server.telemetry import open_telemetry
from leoflow_controlplane.serversetting import read_server_settings
from leoflow_controlplane.verdict import Exit

KEY = RunKey("d", "r")


async def insist(agent: FakeAgent) -> Exit:
    """Report as an agent does: to whoever leads, until that has taken it."""
    value = agent.launch.key.task_id
    events = [agent.add("started"), agent.add("xcom", key="return_value", value=value)]
    events.append(agent.add("finished", state="success", reason=None, exit_code=0))
    while True:
        try:
            await agent.send(events)
            return Exit(0)
        except (DatabaseUnusable, NotLeading):
            await asyncio.sleep(0.01)


class Breaking(FakeExecutor):
    """Has a defect that shows when a try ends, as long as ``defects`` has any."""

    defects: list[Exception]

    async def ended(self) -> Ended:
        ended = await super().ended()
        if self.defects:
            raise self.defects.pop()
        return ended


class Replica:
    """One process of a server, without its port."""

    def __init__(self, home: Path, machine: FakeMachine, *defects: Exception, **flags: Any) -> None:
        self.defects, self.started = list(defects), list[Launch]()
        self._machine = machine
        self._settings = read_server_settings(home, flags, {})
        self.seat = Seat(f"http://{home.name}", wall_clock)

    async def enter(self, stack: AsyncExitStack) -> Reign:
        telemetry = await stack.enter_async_context(open_telemetry(self.seat, {}))
        self.reign = Reign(self._settings, self.seat, self._make, telemetry)
        await self.reign.open()
        stack.push_async_callback(self.reign.close)
        return self.reign

    async def leads(self) -> None:
        async with asyncio.timeout(60):
            while not self.seat.leads:
                await asyncio.sleep(0.01)

    async def _make(self, site: Site) -> FakeExecutor:
        executor = Breaking(site.desk, insist, self._machine)
        executor.defects, executor.started = self.defects, self.started
        return executor


async def begin(replica: Replica) -> None:
    dag = make_dag(make_task("a"), make_task("b", "a"))
    await replica.seat.plane.commands.register_dag(
        BuiltDag(dag, ImageRef("i", None, "linux/amd64"))
    )
    await replica.seat.plane.commands.trigger("d", Trigger(run_id="r"))


async def test_a_scheduler_that_fails_is_followed_by_another_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reign, "_FIRST_PAUSE_SECONDS", 0.01)
    machine = FakeMachine()
    async with AsyncExitStack() as stack:
        replica = Replica(tmp_path, machine, RuntimeError("a defect"))
        await replica.enter(stack)
        await replica.leads()
        first = replica.seat.plane
        await begin(replica)
        async with asyncio.timeout(60):
            while not replica.seat.leads or replica.seat.plane is first:
                await asyncio.sleep(0.01)
            result = await replica.seat.plane.wait(KEY)
    assert result.state == "success"
    assert [launch.key.task_id for launch in replica.started] == ["a", "b"]


async def test_a_replica_takes_over_from_one_whose_scheduler_failed(
    tmp_path: Path, postgresql_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reign, "_FIRST_PAUSE_SECONDS", 15.0)
    machine = FakeMachine()
    flags = {"database_url": postgresql_url, "realm": "x", "secret_key": "A" * 43 + "="}
    async with AsyncExitStack() as stack:
        first = Replica(tmp_path / "one", machine, RuntimeError("a defect"), **flags)
        second = Replica(tmp_path / "two", machine, **flags)
        await first.enter(stack)
        await first.leads()
        await second.enter(stack)
        await begin(first)
        await second.leads()
        async with asyncio.timeout(60):
            result = await second.seat.plane.wait(KEY)
        assert not first.seat.leads
    assert result.state == "success"
