"""The control plane of the benchmark, in a process of its own: HOME PARALLEL DATABASE.

Its executor starts nothing: it tells the other process of each launch, and is told of each end.
Both talk in lines of JSON over HOME/bench.sock.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import uvloop
from leoflow_agent import exitcode
from leoflow_controlplane.command import Trigger
from leoflow_controlplane.controlplane import ControlPlane, Role
from leoflow_controlplane.executor.protocol import Ended, Figures, Site
from leoflow_controlplane.launch import Launch
from leoflow_controlplane.model import RunKey, TryKey
from leoflow_controlplane.outbound.guard import LOOPBACK
from leoflow_controlplane.schema import runs, task_instances
from leoflow_controlplane.server.collector import calm_collector
from leoflow_controlplane.server.serving import SWITCH_SECONDS
from leoflow_controlplane.setting import Settings
from leoflow_controlplane.verdict import Exit
from sqlalchemy import Connection, func, select

from benchmarks.controlplane import shape

SOCKET = "bench.sock"


class TellingExecutor:
    """Hands launches to whoever is connected."""

    ca = None
    trouble: str | None = None
    pods = None

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.figures = Figures()
        self.writer: asyncio.StreamWriter | None = None
        self._ended: asyncio.Queue[Ended] = asyncio.Queue()
        self._launched: list[tuple[float, str, TryKey]] = []

    async def start(self, launch: Launch) -> Mapping[str, float]:
        """Tell of a launch, with the instant at which it was handed over."""
        if not self._launched:
            asyncio.get_running_loop().call_soon(self._tell)
        self._launched.append((time.perf_counter(), launch.workload["token"], launch.key))
        return {}

    def _tell(self) -> None:
        assert self.writer is not None
        _say(self.writer, ["launched", self._launched])
        self._launched = []

    def end(self, key: TryKey) -> None:
        """Take in that a try ended."""
        self._ended.put_nowait(Ended(key, Exit(exitcode.SUCCESS)))

    async def stop(self, key: TryKey, grace_seconds: float) -> None:
        """Nothing runs."""

    async def ended(self) -> Ended:
        """Wait for the next end."""
        return await self._ended.get()

    async def log_tail(self, key: TryKey) -> str | None:  # noqa: ARG002
        """Nothing is written."""
        return None

    async def left_verdict(self, key: TryKey) -> bytes | None:  # noqa: ARG002
        """Nothing is left."""
        return None

    async def remove(self, key: TryKey) -> None:
        """Nothing is there."""

    async def end_run(self, run: RunKey) -> None:
        """Nothing is shared."""

    async def adopt(
        self,
        wanted: Collection[TryKey],  # noqa: ARG002
        runs: Collection[RunKey],  # noqa: ARG002
    ) -> set[TryKey]:
        """Nothing outlives the process."""
        return set()

    async def sweep(self) -> list[str]:
        """Nothing outlives the process."""
        return []

    async def close(self, leave_running: bool = False) -> None:
        """Nothing runs."""


async def serve(home: Path, parallel: int, url: str | None) -> None:
    """Serve until the other process goes."""
    executors: list[TellingExecutor] = []

    async def make(site: Site) -> TellingExecutor:
        port = await site.server.listen_tcp()
        executors.append(TellingExecutor(f"http://127.0.0.1:{port}"))
        return executors[0]

    settings = Settings(
        max_parallel_tasks=parallel,
        max_inline_calls=1000,
        inline_allowed_hosts=LOOPBACK,
        start_allowance_seconds=3600.0,
    )
    began = time.perf_counter()
    async with ControlPlane(home, make, settings, role=Role(is_server=True, url=url)) as plane:
        started_seconds = time.perf_counter() - began
        over = asyncio.Event()

        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            executors[0].writer = writer
            _say(writer, ["ready", executors[0].endpoint, started_seconds])
            async for line in reader:
                await _obey(plane, executors[0], writer, json.loads(line))
            over.set()

        server = await asyncio.start_unix_server(talk, home / SOCKET, limit=2**24)
        print("listening", flush=True)
        await over.wait()
        server.close()


async def _obey(
    plane: ControlPlane, executor: TellingExecutor, writer: asyncio.StreamWriter, asked: list[Any]
) -> None:
    kind, *rest = asked
    if kind == "ended":
        for key in rest[0]:
            executor.end(TryKey(*key))
    elif kind == "register":
        name, *numbers = rest
        await plane.commands.register_dag(getattr(shape, name)(*numbers))
        _say(writer, ["registered"])
    elif kind == "trigger":
        await plane.commands.trigger(rest[0], Trigger(run_id=rest[1]))
    elif kind == "succeeded":
        _say(writer, ["succeeded", await plane.database.read(_count_succeeded, rest[0])])
    elif kind == "figures":
        usage = resource.getrusage(resource.RUSAGE_SELF)
        _say(writer, ["figures", usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024])


def _count_succeeded(connection: Connection, dag_id: str) -> int:
    found = (
        select(func.count())
        .select_from(task_instances.join(runs, runs.c.id == task_instances.c.run_pk))
        .where(runs.c.dag_id == dag_id, task_instances.c.state == "success")
    )
    return int(connection.execute(found).scalar_one())


def _say(writer: asyncio.StreamWriter, line: list[Any]) -> None:
    writer.write(json.dumps(line).encode() + b"\n")


if __name__ == "__main__":
    sys.setswitchinterval(SWITCH_SECONDS)
    calm_collector()
    uvloop.run(serve(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] or None))
