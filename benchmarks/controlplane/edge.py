"""Counts what a report takes from the connection to the writer and back, but in the writer.

The control plane is whole, and runs on the loop that a server has; only the wire is played.
"""

from __future__ import annotations

import asyncio
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import uvicorn
import uvloop
from leoflow_controlplane.api import AgentApp
from leoflow_controlplane.command import Trigger
from leoflow_controlplane.controlplane import ControlPlane, Role
from leoflow_controlplane.executor.fake import FakeAgent, FakeExecutor
from leoflow_controlplane.executor.protocol import Site
from leoflow_controlplane.server.protocol import LimitedProtocol
from leoflow_controlplane.setting import Settings
from leoflow_controlplane.verdict import Exit
from uvicorn.server import ServerState

from benchmarks.controlplane.agents import spell_report
from benchmarks.controlplane.callcount import CallCount
from benchmarks.controlplane.shape import chains

REPORTS = 200


class Wire(asyncio.Transport):
    """A connection that hands over each answer as it is written."""

    def __init__(self) -> None:
        super().__init__()
        self.answered: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def write(self, data: Any) -> None:
        """Take an answer."""
        self.answered.set_result(data)

    def is_closing(self) -> bool:
        """Stay open."""
        return False


def count_edge() -> float:
    """Give the calls of functions, in the event loop's thread, for one report."""
    with tempfile.TemporaryDirectory() as folder:
        return uvloop.run(_count(Path(folder)))


async def _count(home: Path) -> float:
    tokens: asyncio.Queue[str] = asyncio.Queue()
    sites: list[Site] = []

    async def hold(agent: FakeAgent) -> Exit:
        tokens.put_nowait(agent.launch.workload["token"])
        await agent.told_to_stop.wait()
        return Exit(0)

    async def make(site: Site) -> FakeExecutor:
        sites.append(site)
        return FakeExecutor(site.desk, hold)

    settings = Settings(max_parallel_tasks=1)
    async with ControlPlane(home, make, settings, role=Role(is_server=True)) as plane:
        await plane.commands.register_dag(chains("d", 1, 1))
        await plane.commands.trigger("d", Trigger(run_id="r"))
        token = await tokens.get()
        protocol, wire = _connect(AgentApp(sites[0].desk))
        # The first one starts what later ones find.
        await _report(protocol, wire, token, 1)
        with CallCount() as counted:
            for seq in range(2, REPORTS + 2):
                await _report(protocol, wire, token, seq)
        return counted.calls / REPORTS


def _connect(app: AgentApp) -> tuple[LimitedProtocol, Wire]:
    config = uvicorn.Config(app, lifespan="off", log_config=None)
    make = partial(LimitedProtocol, take=app.take_report)
    protocol, wire = make(config, ServerState(), {}, asyncio.get_running_loop()), Wire()
    protocol.connection_made(wire)
    return protocol, wire


async def _report(protocol: LimitedProtocol, wire: Wire, token: str, seq: int) -> None:
    events = f'[{{"seq":{seq},"at":1.0,"type":"heartbeat"}}]'
    wire.answered = asyncio.get_running_loop().create_future()
    protocol.data_received(spell_report(token, "n", events))
    answer = await wire.answered
    assert answer.startswith(b"HTTP/1.1 200 "), answer
