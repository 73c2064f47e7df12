"""A control plane without executor, for a process of its own that is killed: HOME PORT [submit].

Serves the agent API over the state file in HOME. With "submit" it begins a run of one task and
writes the workload of its try to stdout.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from house import SETTINGS, make_dag, make_task
from leoflow_agent.action import PythonAction
from leoflow_controlplane.agentserver import AgentServer
from leoflow_controlplane.api import make_app
from leoflow_controlplane.controlplane import DATABASE_NAME
from leoflow_controlplane.database import Database
from leoflow_controlplane.executor.fake import FakeExecutor
from leoflow_controlplane.executor.protocol import Launch
from leoflow_controlplane.instance import open_instance
from leoflow_controlplane.model import RunKey, RunRequest
from leoflow_controlplane.scheduler import Scheduler, wall_clock
from leoflow_controlplane.secretsource import FakeSecrets
from leoflow_controlplane.store.attempt import Policy


class Telling(FakeExecutor):
    """Starts nothing: whoever reads stdout does."""

    def __init__(self, desk: Any, port: int) -> None:
        super().__init__(desk)
        self.endpoint = f"http://127.0.0.1:{port}"

    async def start(self, launch: Launch) -> dict[str, float]:
        """Tell what is to be started."""
        print(json.dumps(launch.workload), flush=True)
        return {}


async def main(home: Path, port: int, submit: bool) -> None:
    """Serve until killed."""
    instance = open_instance(home)
    database = Database(home / DATABASE_NAME)
    await database.open()
    policy = Policy("killable", SETTINGS, lambda: "token", str)
    scheduler = Scheduler(database, policy, FakeSecrets(), wall_clock)
    await AgentServer(instance, make_app(scheduler)).listen_tcp("127.0.0.1", port)
    scheduler.start(Telling(scheduler, port))
    if submit:
        task = make_task("t", action=PythonAction("steps", "task"))
        request = RunRequest(make_dag(task), "image", run_id="r", logical_date="2026-01-01")
        await scheduler.submit(request, RunKey("d", "r"))
    else:
        print("ready", flush=True)
    await asyncio.Event().wait()


asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:] == ["submit"]))
