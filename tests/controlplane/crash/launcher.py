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
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parent))

from behaviour import make_crash_dag
from fatal import Fate, die_at_commit
from leoflow_agent.spec import BuiltDag, DagSpec, ImageRef
from leoflow_controlplane.command import Trigger
from leoflow_controlplane.controlplane import ControlPlane, Role
from leoflow_controlplane.error import Conflict
from leoflow_controlplane.model import RunKey
from leoflow_controlplane.secretsource import EnvironmentSecrets
from leoflow_controlplane.setting import Settings
from worldexecutor import world_executor

SETTINGS = Settings(
    max_parallel_tasks=8,
    settle_seconds=0.02,
    grace_seconds=0.5,
    removal_allowance_seconds=5,
    # Of many lives none may be long enough to hear a container.
    start_allowance_seconds=3600.0,
)
OVER = 42


class Errand(NamedTuple):
    """What a control plane is to do: run ``dag`` once as ``run_id``."""

    home: Path
    world: Path
    port: int
    dag: DagSpec
    run_id: str


async def serve(errand: Errand) -> None:
    """Run the DAG to its end, taking up what an earlier process has left."""
    home, world, port, dag, run_id = errand
    role = Role(is_server=True)
    factory = world_executor(world, port)
    async with ControlPlane(home, factory, SETTINGS, EnvironmentSecrets({}), role=role) as plane:
        await plane.commands.register_dag(BuiltDag(dag, ImageRef("image", None, "linux/amd64")))
        try:
            key = await plane.commands.trigger(dag.dag_id, Trigger(run_id))
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


def start(errand: Errand, fate: Fate) -> int:
    """Fork a control plane that meets ``fate`` if it is of a commit; give its pid."""
    pid = os.fork()
    if pid:
        return pid
    if fate.kind in ("before", "after"):
        die_at_commit(fate)
    try:
        asyncio.run(serve(errand))
    except BaseException as error:
        sys.stderr.write(f"{fate}: {type(error).__name__}: {error}\n")
        os._exit(1)
    os._exit(OVER)


def live(errand: Errand, fate: Fate) -> bool:
    """Let a control plane live to its end, and tell whether it was killed."""
    pid = start(errand, fate)
    if fate.kind == "time":
        time.sleep(fate.amount)
        os.kill(pid, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if code not in (OVER, -signal.SIGKILL):
        sys.exit(f"a control plane failed with exit code {code} under {fate}")
    return code != OVER


def main(home: str, world: str, port: str, seed: str, kills: str) -> None:
    """Kill as many control planes as asked for, at random instants and commits, run after run.

    The next run begins when one is over. Writes how many were killed and which runs there are.
    """
    lot, killed, number = random.Random(int(seed)), 0, 1
    dag = make_crash_dag()
    while True:
        fate = Fate()
        if killed < int(kills):
            choices = Fate("before", lot.randint(1, 40)), Fate("after", lot.randint(1, 40))
            fate = lot.choice([*choices, Fate("time", lot.uniform(0.02, 0.5))])
        if live(Errand(Path(home), Path(world), int(port), dag, f"run-{number}"), fate):
            killed += 1
            continue
        number += 1
        if killed >= int(kills):
            break
    print(json.dumps({"killed": killed, "runs": number - 1}))


if __name__ == "__main__":
    main(*sys.argv[1:])
