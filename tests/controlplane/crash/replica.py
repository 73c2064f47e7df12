"""A whole server with a port of its own whose containers are in the ``world``: a process of its own
with the arguments of `serve`. It ends at SIGTERM.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from launcher import SETTINGS
from leoflow_controlplane.executor.protocol import Site
from leoflow_controlplane.server.serving import Server
from leoflow_controlplane.serversetting import read_server_settings
from worldexecutor import WorldExecutor

SECRET_KEY = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="


async def serve(url: str, home: str, port: str, world: str, endpoint: str) -> None:
    """Serve until SIGTERM; agents report to ``endpoint``, one of the replicas or several."""

    async def make(_: Site) -> WorldExecutor:
        executor = WorldExecutor(Path(world), endpoint)
        await executor.open()
        return executor

    flags = {"port": int(port), "database_url": url}
    settings = read_server_settings(Path(home), flags, {"LEOFLOW_SECRET_KEY": SECRET_KEY})
    server = Server(replace(settings, limits=SETTINGS), lambda _: None, executor=make)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, server.stop)
    await server.run()


if __name__ == "__main__":
    asyncio.run(serve(*sys.argv[1:]))
