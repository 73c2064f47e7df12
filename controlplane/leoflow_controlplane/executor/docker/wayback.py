"""How the agents in an engine's containers find the way back to this process.

Listens where they come from and starts no container.
"""

from __future__ import annotations

import asyncio

from leoflow_controlplane.agentserver import SOCKET_NAME
from leoflow_controlplane.container import SOCKET_FOLDER, ContainerSite
from leoflow_controlplane.error import ExecutorUnusable
from leoflow_controlplane.executor.docker.engine import Engine
from leoflow_controlplane.executor.protocol import Site
from leoflow_controlplane.executor.reach import Address, listen_at

DESKTOP_HOST = "host.docker.internal"


async def reach(engine: Engine, site: Site, address: Address | None) -> tuple[ContainerSite, str]:
    """Choose how the agents in containers of ``engine`` reach this process, and listen there.

    Return what their containers have in common and the endpoint. Raises ExecutorUnusable.
    """
    place = ContainerSite(site.realm_id, site.owner_id, socket_folder=None)
    if address is not None:
        await listen_at(address, site)
        return place, address.url
    if not engine.is_local:
        raise ExecutorUnusable(
            "the Docker engine is on another machine. Set LEOFLOW_AGENT_URL to an address at "
            "which its containers reach this process."
        )
    if await asyncio.to_thread(engine.is_desktop):
        port = await site.server.listen_tcp(stable=site.is_server)
        return place, f"http://{DESKTOP_HOST}:{port}"
    folder = await site.server.listen_unix(stable=site.is_server)
    return place._replace(socket_folder=str(folder)), f"unix:{SOCKET_FOLDER}/{SOCKET_NAME}"
