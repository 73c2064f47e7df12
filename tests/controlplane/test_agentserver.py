"""Where the agents of a server find it: at the same place, whichever process serves there."""

from __future__ import annotations

import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from leoflow_controlplane.agentserver import MAX_SOCKET_PATH, SOCKET_NAME, AgentServer
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
