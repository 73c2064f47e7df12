"""How the agents in containers find the way back, for every place that an engine can be in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from leoflow_controlplane.error import ExecutorUnusable
from leoflow_controlplane.executor.docker.wayback import reach
from leoflow_controlplane.executor.protocol import Site
from leoflow_controlplane.executor.reach import Address
from leoflow_controlplane.instance import open_instance


class Server:
    """Notes where it is to listen."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int]] = []

    async def listen_unix(self, *, stable: bool = False) -> Path:
        return Path("/sockets")

    async def listen_tcp(
        self, host: str = "127.0.0.1", port: int = 0, *, stable: bool = False
    ) -> int:
        self.asked.append((host, port))
        return port or 4711


class Engine:
    def __init__(self, *, is_local: bool = True, desktop: bool = False) -> None:
        self.is_local = is_local
        self._desktop = desktop

    def is_desktop(self) -> bool:
        return self._desktop


@pytest.fixture
def site(tmp_path):
    instance = open_instance(tmp_path)
    yield lambda server: Site(instance, server, None)
    instance.close()


async def _reach(site: Any, engine: Engine, url: str | None = None, server: Any = None) -> Any:
    return await reach(engine, site(server or Server()), Address(url) if url else None)


async def test_a_local_engine_mounts_the_socket(site):
    place, endpoint = await _reach(site, Engine())
    assert (place.socket_folder, endpoint) == ("/sockets", "unix:/run/leoflow/agent.sock")


async def test_behind_docker_desktop_loopback_has_a_name(site):
    place, endpoint = await _reach(site, Engine(desktop=True))
    assert (place.socket_folder, endpoint) == (None, "http://host.docker.internal:4711")


async def test_an_engine_elsewhere_needs_an_address(site):
    with pytest.raises(ExecutorUnusable, match="Set LEOFLOW_AGENT_URL"):
        await _reach(site, Engine(is_local=False))


async def test_a_given_address_is_listened_at(site):
    server = Server()
    place, endpoint = await _reach(site, Engine(is_local=False), "http://10.0.0.7:9000", server)
    assert server.asked == [("10.0.0.7", 9000)]
    assert (place.socket_folder, endpoint) == (None, "http://10.0.0.7:9000")
