"""How the agents in an engine's containers find the way back to this process.

Listens where they come from and starts no container.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from leoflow_controlplane.agentserver import SOCKET_NAME
from leoflow_controlplane.container import SOCKET_FOLDER, ContainerSite
from leoflow_controlplane.error import ExecutorUnusable
from leoflow_controlplane.executor.engine import Engine
from leoflow_controlplane.executor.protocol import Site

DESKTOP_HOST = "host.docker.internal"


MAX_CA_BYTES = 16 * 1024
_FIX = "Set it to an address of this machine that containers reach, and to a free port."


class Address(NamedTuple):
    """Where agents reach this process, and HOST:PORT where it listens if that is elsewhere.

    ``ca``: the certificates (PEM) that they check an https address's against.
    """

    url: str
    listen: str | None = None
    ca: str | None = None


def read_address(environment: Mapping[str, str]) -> Address | None:
    """Read LEOFLOW_AGENT_URL, _LISTEN and _CA; ExecutorUnusable if the last names no such file."""
    url = environment.get("LEOFLOW_AGENT_URL")
    if not url:
        return None
    listen = environment.get("LEOFLOW_AGENT_LISTEN") or None
    file = environment.get("LEOFLOW_AGENT_CA")
    return Address(url, listen, _read_ca(file) if file else None)


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


def require_address(address: Address | None) -> Address:
    """Give the address; ExecutorUnusable if there is none, for none can be guessed."""
    if address is None:
        raise ExecutorUnusable(
            "the executor 'kubernetes' has to know where Pods reach this process. Set "
            "LEOFLOW_AGENT_URL to such an address: the URL of its Service in the cluster, or "
            "http://HOST:PORT of this machine, as Pods see it."
        )
    try:
        _host_and_port(urlsplit(address.url), "http", "https")
    except ValueError as error:
        raise ExecutorUnusable(f"LEOFLOW_AGENT_URL is '{address.url}': {error}. {_FIX}") from None
    return address


async def listen_at(address: Address, site: Site) -> None:
    """Listen where agents that were given ``address`` arrive. Raises ExecutorUnusable."""
    name, value = "LEOFLOW_AGENT_URL", address.url
    try:
        host, port = _host_and_port(urlsplit(value), "http", "https")
        if address.listen is not None:
            name, value = "LEOFLOW_AGENT_LISTEN", address.listen
            host, port = _host_and_port(urlsplit(f"//{value}"), "")
        elif address.url.startswith("https:"):
            raise ValueError(
                "leoflow speaks no TLS itself, so a proxy in front has to: set "
                "LEOFLOW_AGENT_LISTEN to the HOST:PORT that it forwards to"
            )
        await site.server.listen_tcp(host, port)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ExecutorUnusable(
            f"{name} is '{value}', and nothing can listen there: {reason}. {_FIX}"
        ) from None


def _host_and_port(parts: SplitResult, *schemes: str) -> tuple[str, int]:
    whole = not (parts.path.strip("/") or parts.query or parts.fragment or parts.username)
    if parts.scheme not in schemes or not parts.hostname or not parts.port or not whole:
        form = " or ".join(f"{scheme}://HOST:PORT".removeprefix("://") for scheme in schemes)
        raise ValueError(f"it has to be of the form {form}")
    return parts.hostname, parts.port


def _read_ca(file: str) -> str:
    try:
        text = Path(file).read_text("ascii")
        if "-----BEGIN CERTIFICATE-----" not in text:
            raise ValueError("there is no certificate in it")
        if len(text) > MAX_CA_BYTES:
            raise ValueError(f"it has {len(text)} bytes, and {MAX_CA_BYTES} fit into a workload")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ExecutorUnusable(
            f"LEOFLOW_AGENT_CA is '{file}', which cannot be used: {reason}. Set it to a file of "
            "the certificates (PEM) that agents trust, or leave it out for those of the image."
        ) from None
    return text
