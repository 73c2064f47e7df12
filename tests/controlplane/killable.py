"""A server without executor, for a process of its own that is killed: HOME PORT [submit].

Serves the agent API over the state file in HOME. With "submit" it begins a run of one task and
writes the workload of its try to stdout.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from house import SETTINGS, make_dag, make_task
from leoflow_agent.action import PythonAction
from leoflow_controlplane.controlplane import ControlPlane, Role
from leoflow_controlplane.executor.fake import FakeExecutor
from leoflow_controlplane.executor.protocol import Site
from leoflow_controlplane.launch import Launch
from leoflow_controlplane.model import RunKey, RunRequest, TryKey


class Telling(FakeExecutor):
    """Starts nothing: whoever reads stdout does, and what is started lives on."""

    async def start(self, launch: Launch) -> dict[str, float]:
        """Tell what is to be started."""
        print(json.dumps(launch.workload), flush=True)
        return {}

    async def adopt(self, wanted: Collection[TryKey], runs: Collection[RunKey]) -> set[TryKey]:
        """Find everything where it was."""
        return set(wanted)


async def main(home: Path, port: int, submit: bool) -> None:
    """Serve until killed."""

    async def make(site: Site) -> Telling:
        executor = Telling(site.desk)
        await site.server.listen_tcp("127.0.0.1", port)
        executor.endpoint = f"http://127.0.0.1:{port}"
        return executor

    # While each lives for half a second, an agent may be heard by none of them but the last.
    settings = replace(SETTINGS, start_allowance_seconds=3600.0)
    async with ControlPlane(home, make, settings, role=Role(is_server=True)) as plane:
        if submit:
            task = make_task("t", action=PythonAction("steps", "task"))
            date = "2026-01-01T00:00:00+00:00"
            await plane.create_run(
                RunRequest(make_dag(task), "image", run_id="r", logical_date=date)
            )
        else:
            print("ready", flush=True)
        await asyncio.Event().wait()


asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:] == ["submit"]))
