"""How containers find the way back, for every place that an engine can be in."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest
from leoflow_controlplane.error import ExecutorUnusable
from leoflow_controlplane.executor.protocol import Site
from leoflow_controlplane.executor.reach import reach
from leoflow_controlplane.instance import open_instance


class Server:
    """Notes where it is to listen; ``refusal`` is what the machine says to that."""

    def __init__(self, refusal: OSError | None = None) -> None:
        self.asked: list[tuple[str, int]] = []
        self._refusal = refusal

    async def listen_unix(self) -> Path:
        return Path("/sockets")

    async def listen_tcp(self, host: str = "127.0.0.1", port: int = 0) -> int:
        self.asked.append((host, port))
        if self._refusal is not None:
            raise self._refusal
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
    return await reach(engine, site(server or Server()), url)


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


@pytest.mark.parametrize("url", ["10.0.0.7:9000", "https://host:1", "http://host", "http://:80"])
async def test_an_address_of_another_form_is_refused(site, url):
    with pytest.raises(ExecutorUnusable, match="of the form http://HOST:PORT"):
        await _reach(site, Engine(), url)


async def test_an_address_that_is_not_ours_is_said_with_the_reason(site):
    refusal = OSError(99, "Cannot assign requested address")
    with pytest.raises(ExecutorUnusable, match="Cannot assign requested address"):
        await _reach(site, Engine(), "http://10.0.0.7:9000", Server(refusal))


async def test_a_name_that_does_not_resolve_is_said(site):
    refusal = socket.gaierror(-2, "Name or service not known")
    with pytest.raises(ExecutorUnusable, match="Name or service not known"):
        await _reach(site, Engine(), "http://nowhere.invalid:9000", Server(refusal))
