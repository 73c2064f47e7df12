"""What the Docker executor does while its engine is away; the engine is a fake."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from leoflow_controlplane.container import ContainerSite
from leoflow_controlplane.executor.docker import calls
from leoflow_controlplane.executor.docker.executor import DockerExecutor
from leoflow_controlplane.executor.docker.fault import EngineUnreachable
from leoflow_controlplane.executor.protocol import Site
from leoflow_controlplane.instance import open_instance


class LostEngine:
    """Opens the stream of events in the rounds that it is told, and fails in all others."""

    def __init__(self, opened_in: set[int], rounds: int) -> None:
        self.over = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._opened_in = opened_in
        self._rounds = rounds
        self._count = 0

    def listen(self, _labels: object, opened: Callable[[], Any], _take: object) -> None:
        self._count += 1
        if self._count > self._rounds:
            self._loop.call_soon_threadsafe(self.over.set)
        elif self._count in self._opened_in:
            opened()
            return
        raise EngineUnreachable("Connection refused")

    def list_containers(self, *_labels: str) -> list[Any]:
        return []

    list_volumes = list_containers

    def remove(self, _name: str) -> None:
        pass

    remove_volume = remove

    def stop_listening(self) -> None:
        pass

    close = stop_listening


@pytest.mark.parametrize(("opened_in", "told"), [({1}, 1), ({1, 4}, 2), (set(), 1)])
async def test_an_engine_that_went_away_is_told_once(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    opened_in: set[int],
    told: int,
) -> None:
    monkeypatch.setattr(calls, "PAUSES_SECONDS", (0.0,))
    instance = open_instance(tmp_path)
    engine = LostEngine(opened_in, rounds=6)
    place = ContainerSite(instance.home_id, instance.id, socket_folder=None)
    nobody: Any = None
    site = Site(instance, nobody, nobody)
    executor = DockerExecutor(engine, place, site, "http://x")  # type: ignore[arg-type]
    with caplog.at_level(logging.WARNING, "leoflow.executor.docker"):
        await executor.open()
        await asyncio.wait_for(engine.over.wait(), 10)
        await executor.close()
    instance.close()
    assert [record.message for record in caplog.records] == [
        "the Docker engine does not answer, trying again: Connection refused"
    ] * told
