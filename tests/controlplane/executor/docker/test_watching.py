"""What the watch over containers does when the engine's answers fail or make no sense."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from leoflow_controlplane.executor.docker import watching as watching_module
from leoflow_controlplane.executor.docker.calls import EngineCalls
from leoflow_controlplane.executor.docker.ending import End
from leoflow_controlplane.executor.docker.engine import Found
from leoflow_controlplane.executor.docker.fault import EngineUnreachable
from leoflow_controlplane.executor.docker.tidying import Tidying
from leoflow_controlplane.executor.docker.watching import Live, Watch
from leoflow_controlplane.executor.protocol import Ended, Figures
from leoflow_controlplane.model import NOT_MAPPED, TryKey
from leoflow_controlplane.verdict import Exit


class OddEngine:
    """Has one container, which has ended, and answers as ``read_end`` and ``found`` do."""

    def __init__(self, read_end: Callable[[str], Any], found: Callable[[], list[Found]]) -> None:
        self.read_end = read_end
        self._found = found
        self._stopped = threading.Event()

    def listen(self, _labels: object, opened: Callable[[], Any], _take: object) -> None:
        opened()
        self._stopped.wait(10)

    def list_containers(self, *_labels: str) -> list[Any]:
        return self._found()

    def stop_listening(self) -> None:
        self._stopped.set()

    def close(self) -> None:
        pass


KEY = TryKey("etl", "run", "load", NOT_MAPPED, 1)


@asynccontextmanager
async def watching(engine: OddEngine, grace_seconds: float = 60) -> AsyncIterator[Watch]:
    figures = Figures()
    calls_of_engine = EngineCalls(engine, (), figures)  # type: ignore[arg-type]
    watch = Watch(calls_of_engine, Tidying(calls_of_engine, may_remove_strays=False), grace_seconds)
    await watch.open()
    watch.look_after(Live(KEY, "box"), ended=True)
    yield watch
    await watch.close()
    calls_of_engine.close()


def ended_box() -> list[Found]:
    return [Found("box", {}, "exited")]


def unreadable(_name: str) -> Any:
    raise EngineUnreachable("its answer makes no sense: KeyError('State')")


async def test_an_end_that_cannot_be_read_is_told_of_and_given_up_after_the_grace(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(watching_module, "LIST_SECONDS", 0.001)
    async with watching(OddEngine(unreadable, ended_box), grace_seconds=0.05) as watch:
        ended = await asyncio.wait_for(watch.next_end(), 10)
    assert (ended.key, ended.exit.machinery) == (KEY, True)
    assert str(ended.exit.reason).startswith(
        "how its container ended cannot be read for longer than engine_grace_seconds = 0.05: "
        "its answer makes no sense"
    )
    assert [record.message for record in caplog.records] == [
        "the end of container 'box' cannot be read, trying again: "
        "its answer makes no sense: KeyError('State')"
    ]


async def test_an_end_that_cannot_be_read_once_is_read_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watching_module, "LIST_SECONDS", 0.001)
    answers = [unreadable, unreadable, lambda _name: End(0, False, None, 1.0, 2.0)]
    engine = OddEngine(lambda name: answers.pop(0)(name), ended_box)
    async with watching(engine) as watch:
        ended = await asyncio.wait_for(watch.next_end(), 10)
    assert ended == Ended(KEY, Exit(0), 1.0, 2.0)


async def test_a_mistake_in_looking_after_containers_reaches_who_waits_for_ends() -> None:
    def mistaken(_name: str) -> Any:
        raise AssertionError("a mistake")

    async with watching(OddEngine(mistaken, ended_box)) as watch:
        with pytest.raises(AssertionError, match="a mistake"):
            await asyncio.wait_for(watch.next_end(), 10)


async def test_an_engine_that_cannot_list_is_trouble_until_it_can(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(watching_module, "LIST_SECONDS", 0.001)
    listed = asyncio.Event()
    loop = asyncio.get_running_loop()
    mended = threading.Event()

    def found() -> list[Found]:
        if not mended.is_set():
            loop.call_soon_threadsafe(listed.set)
            raise EngineUnreachable("no room")
        return ended_box()

    async with watching(OddEngine(lambda _name: End(0, False, None, 1.0, 2.0), found)) as watch:
        await asyncio.wait_for(listed.wait(), 10)
        while watch.trouble is None:
            await asyncio.sleep(0)
        assert watch.trouble == "the Docker engine does not answer"
        mended.set()
        while watch.trouble is not None:
            await asyncio.sleep(0)
    assert [record.message for record in caplog.records] == [
        "the Docker engine does not answer, trying again: no room"
    ]
