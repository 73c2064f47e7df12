"""A cluster as a process of its own: ``python -m emulator FOLDER SEED CHANCE SHARE SECONDS``.

Writes ``kubeconfig`` into FOLDER when it is ready, and takes orders at ``/emulator/…``: ``restart``
is for the API server, ``tell`` gives what the cluster has seen.
"""

from __future__ import annotations

import asyncio
import math
import sys
import time
from collections import defaultdict
from pathlib import Path

from aiohttp import web

from emulator.agent import AgentRuntime
from emulator.cluster import Cluster
from emulator.store import Change, Object
from emulator.weather import choose_by, stormy


class Process:
    """The cluster and who gives it orders."""

    def __init__(self, seed: int, chance: float, share: float, seconds: float) -> None:
        self.agents = AgentRuntime(seed, seconds)
        self.fates: dict[str, str] = {}
        # When each Pod of a name was there, and when there was a restart.
        self.times: defaultdict[str, list[list[float]]] = defaultdict(list)
        self.restarts: list[float] = []
        self._choose = choose_by(seed, share)
        self.cluster = Cluster(
            stormy(seed, chance) if chance else None, self.agents, choose=self._note_fate
        )
        self.cluster.store.follow(self._note_time)
        self._restart: asyncio.Task[None] | None = None

    async def restart(self, request: web.Request) -> web.Response:
        """Restart the API server."""
        self.restarts.append(time.time())
        self._restart = asyncio.create_task(self.cluster.restart(away_seconds=0.5))
        return web.json_response({})

    async def tell(self, request: web.Request) -> web.Response:
        """Tell what happened to Pods and calls; of those that were started more than once, all."""
        twice = [name for name, count in self.cluster.kubelet.runs.items() if count > 1]
        return web.json_response(
            {
                "starts": sum(self.cluster.kubelet.runs.values()),
                "twice": {name: (self.fates[name], self.times[name]) for name in twice},
                "untold": sorted(self.cluster.api.untold),
                "restarts": self.restarts,
                "refused": self.agents.refused,
                "there": [pod["metadata"]["name"] for pod in self.cluster.pods()],
                "calls": {"/".join(call): n for call, n in self.cluster.api.calls.items()},
                "faults": len(self.cluster.faults.met),
            }
        )

    def _note_time(self, change: Change) -> None:
        if change.key.resource == "pods" and change.kind == "ADDED":
            self.times[change.key.name].append([time.time(), math.inf])
        if change.key.resource == "pods" and change.kind == "DELETED":
            self.times[change.key.name][-1][1] = time.time()

    def _note_fate(self, pod: Object) -> str:
        fate = self._choose(pod)
        self.fates[pod["metadata"]["name"]] = fate
        return fate


async def main(folder: str, *settings: str) -> None:
    """Serve until killed."""
    seed, *rest = settings
    process = Process(int(seed), *map(float, rest))
    orders = web.Application()
    orders.router.add_post("/emulator/restart", process.restart)
    orders.router.add_get("/emulator/tell", process.tell)
    runner = web.AppRunner(orders, access_log=None)
    await runner.setup()
    await web.UnixSite(runner, str(Path(folder) / "orders.sock")).start()
    await process.cluster.listen()
    file = process.cluster.write_kubeconfig(Path(folder) / "kubeconfig.new")
    file.rename(Path(folder) / "kubeconfig")
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
