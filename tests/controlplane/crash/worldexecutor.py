"""An executor whose containers are in the process of ``world``, and so survive this one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

from leoflow_controlplane.executor.protocol import Ended, ExecutorFactory, Figures, Site
from leoflow_controlplane.launch import Launch
from leoflow_controlplane.model import RunKey, TryKey
from leoflow_controlplane.verdict import Exit

LIMIT = 2**24


class WorldExecutor:
    """Speaks to the world over two connections: requests, and the ends that it tells of."""

    ca = None
    trouble: str | None = None
    pods = None

    def __init__(self, path: Path, endpoint: str) -> None:
        self.endpoint = endpoint
        self.figures = Figures()
        self._path = str(path)
        self._lock = asyncio.Lock()
        self._ended: asyncio.Queue[Ended] = asyncio.Queue()
        self._mine: set[TryKey] = set()
        self._told: set[TryKey] = set()
        self._listening: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connect; nobody is listened to before it is known whose ends are wanted."""
        self._reader, self._writer = await asyncio.open_unix_connection(self._path, limit=LIMIT)

    async def start(self, launch: Launch) -> dict[str, float]:
        """Create the container of a try, unless it is there already."""
        self._mine.add(launch.key)
        self._listen()
        return {"created": await self._ask("start", key=launch.key, workload=launch.workload)}

    async def stop(self, key: TryKey, grace_seconds: float) -> None:
        """Nothing here is told to stop."""

    async def ended(self) -> Ended:
        """Wait for the next container that ended."""
        return await self._ended.get()

    async def log_tail(self, key: TryKey) -> str | None:
        """Containers write nothing."""
        return None

    async def left_verdict(self, key: TryKey) -> bytes | None:
        """Containers leave nothing."""
        return None

    async def remove(self, key: TryKey) -> None:
        """Remove a container."""
        await self._ask("remove", key=key)

    async def sweep(self) -> list[str]:
        """What dead processes left is adopted."""
        return []

    async def adopt(self, wanted: Collection[TryKey], runs: Collection[RunKey]) -> set[TryKey]:
        """Take over the containers that are wanted and remove the others."""
        there = {TryKey(*key) for key in await self._ask("list")}
        for key in there - set(wanted):
            await self._ask("remove", key=key)
        self._mine |= there & set(wanted)
        self._listen()
        return there & set(wanted)

    async def end_run(self, run: RunKey) -> None:
        """Runs have nothing of their own."""

    async def close(self, leave_running: bool = False) -> None:
        """Leave."""
        if self._listening is not None:
            self._listening.cancel()
        self._writer.close()

    async def _ask(self, op: str, **fields: Any) -> Any:
        async with self._lock:
            self._writer.write(json.dumps({"op": op, **fields}).encode() + b"\n")
            return json.loads(await self._reader.readline())

    def _listen(self) -> None:
        if self._listening is None:
            self._listening = asyncio.create_task(self._take_ends())

    async def _take_ends(self) -> None:
        reader, writer = await asyncio.open_unix_connection(self._path, limit=LIMIT)
        writer.write(b'{"op": "listen"}\n')
        while line := await reader.readline():
            end = json.loads(line)
            key = TryKey(*end["key"])
            if key in self._mine and key not in self._told:
                self._told.add(key)
                exit = Exit(end["code"])
                self._ended.put_nowait(Ended(key, exit, end["started_at"], end["ended_at"]))


def world_executor(path: Path, port: int) -> ExecutorFactory:
    """Give the factory of an executor in the world at ``path``; agents report to ``port``."""

    async def make(site: Site) -> WorldExecutor:
        await site.server.listen_tcp("127.0.0.1", port)
        executor = WorldExecutor(path, f"http://127.0.0.1:{port}")
        await executor.open()
        return executor

    return make
