"""Starts one control plane after the other on the same state, and kills each: see `main`.

Starting Python anew for each would take most of the time, so they are forks of this process, which
has imported everything and opened nothing.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from behaviour import make_crash_dag
from leoflow_agent.spec import BuiltDag, ImageRef
from leoflow_controlplane.command import Trigger
from leoflow_controlplane.controlplane import ControlPlane, Role
from leoflow_controlplane.error import Conflict
from leoflow_controlplane.model import RunKey
from leoflow_controlplane.secretsource import EnvironmentSecrets
from leoflow_controlplane.setting import Settings
from sqlalchemy.engine.default import DefaultDialect
from worldexecutor import world_executor

SETTINGS = Settings(
    max_parallel_tasks=8,
    settle_seconds=0.02,
    grace_seconds=0.5,
    removal_allowance_seconds=5,
)
OVER = 42


def die_at_commit(number: int, *, after: bool) -> None:
    """Kill this process at its ``number``-th commit, before or after it."""
    commit = DefaultDialect.do_commit
    count = 0

    def counted(dialect: Any, connection: Any) -> None:
        nonlocal count
        count += 1
        if count == number and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        commit(dialect, connection)
        if count == number:
            os.kill(os.getpid(), signal.SIGKILL)

    DefaultDialect.do_commit = counted  # type: ignore[method-assign]


async def serve(home: Path, world: Path, port: int, run_id: str) -> None:
    """Run the DAG to its end, taking up what an earlier process has left."""
    role = Role(is_server=True)
    factory = world_executor(world, port)
    async with ControlPlane(home, factory, SETTINGS, EnvironmentSecrets({}), role=role) as plane:
        dag = make_crash_dag()
        await plane.register_dag(BuiltDag(dag, ImageRef("image", None, "linux/amd64")))
        try:
            key = await plane.trigger(dag.dag_id, Trigger(run_id))
        except Conflict:
            key = RunKey(dag.dag_id, run_id)
        await plane.wait(key)
        await until_all_removed(world)


async def until_all_removed(world: Path) -> None:
    """Wait until no container is left: they go after the verdict on them."""
    reader, writer = await asyncio.open_unix_connection(str(world))
    while True:
        writer.write(b'{"op": "list"}\n')
        if json.loads(await reader.readline()) == []:
            break
        await asyncio.sleep(0.01)
    writer.close()


def start(arguments: tuple[Path, Path, int, str], plan: tuple[str, float]) -> int:
    """Fork a control plane that follows ``plan``; give its pid."""
    pid = os.fork()
    if pid:
        return pid
    kind, amount = plan
    if kind in ("before", "after"):
        die_at_commit(int(amount), after=kind == "after")
    try:
        asyncio.run(serve(*arguments))
    except BaseException as error:
        sys.stderr.write(f"{plan}: {type(error).__name__}: {error}\n")
        os._exit(1)
    os._exit(OVER)


def main(home: str, world: str, port: str, seed: str, kills: str) -> None:
    """Kill as many control planes as asked for, at random instants and commits, run after run.

    The next run begins when one is over. Writes how many were killed and which runs there are.
    """
    lot, killed, number = random.Random(int(seed)), 0, 1
    while True:
        plan = ("none", 0.0)
        if killed < int(kills):
            plan = lot.choice(
                [
                    ("before", lot.randint(1, 40)),
                    ("after", lot.randint(1, 40)),
                    ("time", lot.uniform(0.02, 0.5)),
                ]
            )
        pid = start((Path(home), Path(world), int(port), f"run-{number}"), plan)
        if plan[0] == "time":
            time.sleep(plan[1])
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        code = os.waitstatus_to_exitcode(status)
        if code == -signal.SIGKILL:
            killed += 1
        elif code == OVER:
            number += 1
            if killed >= int(kills):
                break
        else:
            sys.exit(f"a control plane failed with exit code {code} under {plan}")
    print(json.dumps({"killed": killed, "runs": number - 1}))


if __name__ == "__main__":
    main(*sys.argv[1:])
