"""Where agents find who takes in what they say, and that whoever serves there is found alike."""

from __future__ import annotations

import socket
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from fakedesk import REPORT, FakeDesk
from leoflow_agent import wire
from leoflow_controlplane.agentserver import MAX_SOCKET_PATH, SOCKET_NAME, AgentServer
from leoflow_controlplane.api import AgentApp
from leoflow_controlplane.instance import Instance, open_instance

Opened = Callable[[Path, str], Awaitable[tuple[AgentServer, Path]]]


@pytest.fixture
async def opened() -> AsyncIterator[Opened]:
    """Gives a way to open a server of a home that answers with a text, and its socket's folder."""
    there: list[tuple[AgentServer, Instance]] = []

    async def open_server(home: Path, text: str) -> tuple[AgentServer, Path]:
        async def app(_scope: Any, _receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": text.encode()})

        instance = open_instance(home)
        server = AgentServer(instance, app)
        there.append((server, instance))
        return server, await server.listen_unix(stable=True)

    yield open_server
    for server, instance in there:
        await server.close()
        instance.close()


async def ask(folder: Path) -> str:
    transport = httpx.AsyncHTTPTransport(uds=str(folder / SOCKET_NAME))
    async with httpx.AsyncClient(transport=transport) as client:
        return (await client.get("http://agent/")).text


async def test_the_next_server_of_a_home_takes_over_the_socket(
    opened: Opened, tmp_path: Path
) -> None:
    first, folder = await opened(tmp_path, "first")
    assert await ask(folder) == "first"
    # A container holds the folder, so that has to stay the very same one.
    inode = folder.stat().st_ino
    _, again = await opened(tmp_path, "second")
    assert (again, again.stat().st_ino) == (folder, inode)
    assert await ask(folder) == "second"
    await first.close()
    assert await ask(folder) == "second"


async def test_only_the_inner_folder_is_open_to_others(opened: Opened, tmp_path: Path) -> None:
    _, folder = await opened(tmp_path, "")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755
    assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / SOCKET_NAME).stat().st_mode) == 0o666


async def test_a_home_with_a_long_path_has_its_socket_elsewhere_and_always_there(
    opened: Opened, tmp_path: Path
) -> None:
    home = tmp_path / ("long" * 30)
    _, folder = await opened(home, "first")
    _, again = await opened(home, "second")
    assert folder == again
    assert len(str(folder / SOCKET_NAME)) < MAX_SOCKET_PATH
    assert await ask(folder) == "second"
    (folder / SOCKET_NAME).unlink()
    folder.rmdir()
    folder.parent.rmdir()


async def test_a_folder_that_somebody_else_made_is_not_used(opened: Opened, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "socket").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="belongs to somebody else"):
        await opened(tmp_path, "")


async def test_a_free_port_is_the_same_one_the_next_time(opened: Opened, tmp_path: Path) -> None:
    first, _ = await opened(tmp_path, "")
    port = await first.listen_tcp(stable=True)
    await first.close()
    second, _ = await opened(tmp_path, "")
    assert await second.listen_tcp(stable=True) == port


async def test_a_port_that_somebody_else_has_by_now_is_another_one(
    opened: Opened, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It was the end of the server, without a word of what to do."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = int(other.getsockname()[1])
        (tmp_path / "agent.port").write_text(str(taken))
        server, _ = await opened(tmp_path, "")
        port = await server.listen_tcp(stable=True)
    assert port != taken
    assert (tmp_path / "agent.port").read_text() == str(port)
    assert f"port {taken} of 127.0.0.1, which they know, cannot be listened on" in caplog.text


async def test_it_serves_on_a_socket_that_only_containers_can_reach(tmp_path: Path) -> None:
    instance = open_instance(tmp_path)
    server = AgentServer(instance, AgentApp(FakeDesk()))
    folder = await server.listen_unix()
    assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755
    assert stat.S_IMODE((folder / "agent.sock").stat().st_mode) == 0o666
    transport = httpx.AsyncHTTPTransport(uds=str(folder / "agent.sock"))
    async with httpx.AsyncClient(transport=transport, base_url="http://leoflow") as client:
        answer = await client.post(
            wire.EVENTS_PATH, json=REPORT, headers={"Authorization": "Bearer good"}
        )
    assert answer.status_code == 200
    assert answer.headers["content-length"] == str(len(answer.content))
    await server.close()
    instance.close()
    assert not folder.parent.exists()


async def test_over_the_network_it_listens_on_loopback_only(tmp_path: Path) -> None:
    instance = open_instance(tmp_path)
    server = AgentServer(instance, AgentApp(FakeDesk()))
    port = await server.listen_tcp()
    assert port == await server.listen_tcp()
    assert server._servers[0][1].getsockname()[0] == "127.0.0.1"
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"http://127.0.0.1:{port}{wire.INPUTS_PATH}")
    assert answer.status_code == 401
    await server.close()
    instance.close()


async def test_over_the_network_an_answer_is_not_held_back(tmp_path: Path) -> None:
    """By Nagle's algorithm and the delayed acknowledgement together: 40 ms for each report."""
    instance = open_instance(tmp_path)
    server = AgentServer(instance, AgentApp(FakeDesk()))
    url = f"http://127.0.0.1:{await server.listen_tcp()}{wire.EVENTS_PATH}"
    headers = {"Authorization": "Bearer good"}
    async with httpx.AsyncClient(trust_env=False, headers=headers) as client:
        assert (await client.post(url, json=REPORT)).status_code == 200
        (connection,) = server._servers[0][0].server_state.connections
        accepted = connection.transport.get_extra_info("socket")
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    await server.close()
    instance.close()
