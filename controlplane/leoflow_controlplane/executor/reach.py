"""How the agents in an engine's containers find the way back to this process.

Listens where they come from and starts no container.
"""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

from leoflow_controlplane.agentserver import SOCKET_NAME
from leoflow_controlplane.container import SOCKET_FOLDER, ContainerSite
from leoflow_controlplane.error import ExecutorUnusable
from leoflow_controlplane.executor.engine import Engine
from leoflow_controlplane.executor.protocol import Site

DESKTOP_HOST = "host.docker.internal"


async def reach(engine: Engine, site: Site, agent_url: str | None) -> tuple[ContainerSite, str]:
    """Choose how the agents in containers of ``engine`` reach this process, and listen there.

    Return what their containers have in common and the endpoint. Raises ExecutorUnusable.
    """
    place = ContainerSite(site.instance.home_id, site.instance.id, socket_folder=None)
    if agent_url is not None:
        await _listen_at(agent_url, site)
        return place, agent_url
    if not engine.is_local:
        raise ExecutorUnusable(
            "the Docker engine is on another machine. Set LEOFLOW_AGENT_URL to an address at "
            "which its containers reach this process."
        )
    if await asyncio.to_thread(engine.is_desktop):
        port = await site.server.listen_tcp()
        return place, f"http://{DESKTOP_HOST}:{port}"
    folder = await site.server.listen_unix()
    return place._replace(socket_folder=str(folder)), f"unix:{SOCKET_FOLDER}/{SOCKET_NAME}"


async def _listen_at(agent_url: str, site: Site) -> None:
    parts = urlsplit(agent_url)
    try:
        if parts.scheme != "http" or not parts.hostname or not parts.port:
            raise ValueError("it has to be of the form http://HOST:PORT")
        await site.server.listen_tcp(parts.hostname, parts.port)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ExecutorUnusable(
            f"LEOFLOW_AGENT_URL is '{agent_url}', and nothing can listen there: {reason}. Set it "
            "to an address of this machine that containers reach, and to a free port."
        ) from None
