"""A cluster as a process of its own: ``python -m emulator FOLDER SEED CHANCE SHARE SECONDS``; with
FOLDER alone nothing goes wrong, and its containers do as BEHAVE says.

Writes ``kubeconfig`` into FOLDER when it is ready, and takes orders at ``/emulator/…``: ``restart``
is for the API server, ``tell`` gives what the cluster has seen.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from aiohttp import web

from emulator.agent import AgentRuntime
from emulator.cluster import Cluster
from emulator.kubelet import declared_fate
from emulator.weather import choose_by, stormy


class Process:
    """The cluster and who gives it orders."""

    def __init__(self, *settings: str) -> None:
        seed, chance, share, seconds = map(float, settings or ("0",) * 4)
        self.agents = AgentRuntime(int(seed), seconds)
        self.cluster = Cluster(
            stormy(int(seed), chance) if chance else None,
            self.agents if settings else None,
            choose=choose_by(int(seed), share) if settings else declared_fate,
        )
        self._restart: asyncio.Task[None] | None = None

    async def restart(self, request: web.Request) -> web.Response:
        """Restart the API server."""
        self._restart = asyncio.create_task(self.cluster.restart(away_seconds=0.5))
        return web.json_response({})

    async def tell(self, request: web.Request) -> web.Response:
        """Tell what happened to Pods and calls. ``started_twice``: Pods of so many names were
        started more than once; ``begun_twice`` names those whose task began again."""
        begun, runs = self.agents.begun, self.cluster.kubelet.runs
        return web.json_response(
            {
                "starts": runs.total(),
                "started_twice": sum(count > 1 for count in runs.values()),
                "begun": begun.total(),
                "begun_twice": [name for name, count in begun.items() if count > 1],
                "refused": self.agents.refused,
                "calls": {"/".join(call): n for call, n in self.cluster.api.calls.items()},
                "faults": len(self.cluster.faults.met),
            }
        )


async def main(folder: str, *settings: str) -> None:
    """Serve until killed."""
    process = Process(*settings)
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
