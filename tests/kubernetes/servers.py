"""Starts one control plane after the other on the same state, and kills all but the last: see
`main`. They are forks of this process, which has imported everything and opened nothing.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import signal
import sys
import time
from pathlib import Path
from typing import NamedTuple

import kubernetes.aio.client
import kubernetes.aio.config  # noqa: F401
from leoflow_agent.action import PythonAction
from leoflow_agent.spec import BuiltDag, DagSpec, ImageRef, Quantities, Resources, Source, TaskSpec
from leoflow_controlplane.command import Trigger
from leoflow_controlplane.controlplane import ControlPlane, Role
from leoflow_controlplane.error import Conflict
from leoflow_controlplane.executor.cluster.opening import kubernetes_executor
from leoflow_controlplane.executor.reach import Address
from leoflow_controlplane.kubernetessetting import KubernetesSettings
from leoflow_controlplane.model import RunKey
from leoflow_controlplane.secretsource import EnvironmentSecrets
from leoflow_controlplane.setting import Settings

WIDTH = 100
# Of ten tasks, by what their agents do: see emulator.agent.
KINDS = ("ok", "ok", "ok", "ok", "ok", "ok", "flaky", "bad", "mute", "dies")
OVER = 42


class Errand(NamedTuple):
    """What a control plane is to do: run a DAG of WIDTH tasks ``runs`` times, all at once."""

    home: Path
    kubeconfig: Path
    port: int
    runs: int
    at_once: int


def make_wide_dag() -> DagSpec:
    """Make a DAG of tasks that do not wait for one another."""
    tasks = [
        TaskSpec(
            f"{KINDS[number % len(KINDS)]}-{number}",
            PythonAction("dag"),
            Resources(Quantities(100, 64 * 2**20)),
            Source("dag.py", 1),
            retries=1,
            retry_delay_seconds=0.01,
        )
        for number in range(WIDTH)
    ]
    return DagSpec("wide", "3.11", tuple(tasks), max_active_tasks=10_000, max_active_runs=1000)


async def serve(errand: Errand) -> None:
    """Run everything to its end, taking up what an earlier process has left."""
    settings = Settings(
        max_parallel_tasks=errand.at_once,
        settle_seconds=0.2,
        grace_seconds=1.0,
        removal_allowance_seconds=10.0,
        machinery_retries=5,
    )
    factory = kubernetes_executor(
        KubernetesSettings(create_rate=300, keep_finished_seconds=0.0, keep_failed_seconds=0.0),
        Address(f"http://127.0.0.1:{errand.port}", f"127.0.0.1:{errand.port}"),
        {"KUBECONFIG": str(errand.kubeconfig)},
        patient=True,
    )
    role, dag = Role(is_server=True), make_wide_dag()
    secrets = EnvironmentSecrets({})
    async with ControlPlane(errand.home, factory, settings, secrets, role=role) as plane:
        await plane.commands.register_dag(BuiltDag(dag, ImageRef("image", None, "linux/amd64")))
        for number in range(errand.runs):
            try:
                await plane.commands.trigger(dag.dag_id, Trigger(f"run-{number}"))
            except Conflict:
                continue
        for number in range(errand.runs):
            await plane.wait(RunKey(dag.dag_id, f"run-{number}"))


def start(errand: Errand) -> int:
    """Fork a control plane; give its pid."""
    pid = os.fork()
    if pid:
        return pid
    try:
        asyncio.run(serve(errand))
    except BaseException as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        os._exit(1)
    os._exit(OVER)


def peak_mib(pid: int) -> float:
    """Read how much memory a process had at most."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


def main(home: str, kubeconfig: str, seed: str, *figures: str) -> None:
    """Let a control plane live for each number of seconds, and the last one to its end.

    ``figures`` are the other fields of an Errand, and the seconds.
    """
    port, runs, at_once, *lives = figures
    lot = random.Random(int(seed))
    errand = Errand(Path(home), Path(kubeconfig), int(port), int(runs), int(at_once))
    began, peak, kills = time.monotonic(), 0.0, list[float]()
    for life in lives:
        pid = start(errand)
        time.sleep(float(life) * lot.uniform(0.7, 1.3))
        peak = max(peak, peak_mib(pid))
        os.kill(pid, signal.SIGKILL)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if code == -signal.SIGKILL:
            kills.append(time.time())
        if code not in (OVER, -signal.SIGKILL):
            sys.exit(f"a control plane failed with exit code {code}")
    pid = start(errand)
    while (ended := os.waitpid(pid, os.WNOHANG)) == (0, 0):
        peak = max(peak, peak_mib(pid))
        time.sleep(0.1)
    if os.waitstatus_to_exitcode(ended[1]) != OVER:
        sys.exit("the last control plane failed")
    told = {"kills": kills, "peak_mib": peak, "seconds": time.monotonic() - began}
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
