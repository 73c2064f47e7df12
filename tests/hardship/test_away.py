"""The control plane or the engine is away, slow, or one of two: nothing is lost or mixed up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from leoflow_controlplane.agentserver import SOCKET_NAME
from leoflow_controlplane.container import SOCKET_FOLDER
from leoflow_controlplane.executor.docker.ending import End
from leoflow_controlplane.executor.docker.engine import Engine, open_engine
from ward import Subject, Ward, all_gone, left_behind

pytestmark = pytest.mark.engine


class Door:
    """A socket in front of the control plane's, which can be taken away with all its talks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.behind = ""
        self._server: asyncio.Server | None = None
        self._talks: set[asyncio.StreamWriter] = set()

    async def open(self) -> None:
        self.folder.mkdir(exist_ok=True)
        path = self.folder / SOCKET_NAME
        self._server = await asyncio.start_unix_server(self._talk, path)
        path.chmod(0o666)

    async def shut(self) -> None:
        assert self._server is not None
        self._server.close()
        (self.folder / SOCKET_NAME).unlink()
        for one in list(self._talks):
            one.transport.abort()

    def alter(self, body: dict[str, Any]) -> None:
        """Mount this door in place of the control plane's."""
        for mount in body["HostConfig"]["Mounts"]:
            if mount["Target"] == SOCKET_FOLDER:
                self.behind = mount["Source"]
                mount["Source"] = str(self.folder)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner, outer = await asyncio.open_unix_connection(f"{self.behind}/{SOCKET_NAME}")
        ends = {writer, outer}
        self._talks |= ends
        await asyncio.gather(_pass_on(reader, outer), _pass_on(inner, writer))
        self._talks -= ends


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while chunk := await reader.read(65536):
            writer.write(chunk)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Door]:
    folder.chmod(0o755)
    door = Door(folder / "door")
    await door.open()
    yield door
    await door.shut()


async def test_a_control_plane_that_vanishes_in_mid_run_is_waited_for(
    subject: Subject, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    # The path of a socket is short.
    async with (
        opened(tmp_path_factory.mktemp("d")) as door,
        Ward(subject, tmp_path, door.alter) as ward,
    ):
        key = await ward.begin("takes_two_seconds")
        await ward.hear(key, "takes_two_seconds")
        await door.shut()
        await asyncio.sleep(4)
        assert left_behind(tmp_path), "the agent has to wait with its verdict"
        await door.open()
        end = (await ward.end(key))["takes_two_seconds"]
        await all_gone(tmp_path)
    assert (end.state, end.value, end.reason) == ("success", "done", None)


class SlowEngine(Engine):
    """An engine that takes a second to answer."""

    def create_and_start(self, name: str, body: dict[str, Any]) -> float:
        """See `Engine`."""
        time.sleep(1)
        return super().create_and_start(name, body)

    def read_end(self, name: str) -> End | None:
        """See `Engine`."""
        time.sleep(1)
        return super().read_end(name)

    def remove(self, name: str) -> None:
        """See `Engine`."""
        time.sleep(1)
        super().remove(name)


async def test_a_slow_engine_changes_no_verdict(subject: Subject, tmp_path: Path) -> None:
    async with Ward(subject, tmp_path, engine=SlowEngine(open_engine()._client)) as ward:
        ends = await ward.run("kills_itself", "exits_with_7", "tells_who_it_is")
        await all_gone(tmp_path)
    assert [end.exit_code for end in ends.values()] == [137, 7, 0]
    assert ends["tells_who_it_is"].value["uid"] == 65532


async def test_two_control_planes_of_one_home_leave_each_other_alone(
    subject: Subject, tmp_path: Path
) -> None:
    async with Ward(subject, tmp_path) as first:
        key = await first.begin("takes_two_seconds")
        await first.hear(key, "takes_two_seconds")
        async with Ward(subject, tmp_path) as second:
            assert second.plane.swept == []
            other = await second.run_one("exits_with_7")
        end = (await first.end(key))["takes_two_seconds"]
        await all_gone(tmp_path)
    assert (other.state, other.exit_code) == ("failed", 7)
    assert (end.state, end.value) == ("success", "done")


async def test_a_control_plane_that_closes_takes_its_containers_along(
    subject: Subject, tmp_path: Path
) -> None:
    async with Ward(subject, tmp_path) as ward:
        key = await ward.begin("ignores_every_signal", "waits")
        await ward.hear(key, "waits")
    assert left_behind(tmp_path) == []
