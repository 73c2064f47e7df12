"""The limits of a start and of the pull before it, on an engine that is a script."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from executor_contract import make_launch
from leoflow_controlplane.error import LaunchFailed
from leoflow_controlplane.executor.docker import pulling, starting
from leoflow_controlplane.executor.docker.engine import Begun
from leoflow_controlplane.executor.docker.fault import ImageMissing, NoAnswer, pull_refusal
from leoflow_controlplane.executor.docker.pulling import Pulls
from leoflow_controlplane.executor.docker.starting import Starter
from leoflow_controlplane.executor.protocol import Figures, Limits

IMAGE = "registry.example/team/dag:1"
BEGUN = Begun(1.0, ended=False)
MISSING = ImageMissing("no such image", transient=False)


class ScriptedEngine:
    """Does one of ``starts`` and ``pulls`` at each call, the last one again and again."""

    def __init__(self, starts: list[Any], pulls: list[Any] | None = None) -> None:
        self.removed: list[str] = []
        self.pulled = 0
        self.let_go = threading.Event()
        self._starts = starts
        self._pulls = pulls or [None]

    def create_and_start(self, _name: str, _body: object) -> Begun:
        return self._do(self._starts) or BEGUN

    def pull(
        self, _image: str, _seconds: float, report: Callable[[str], Any], stream: list[Any]
    ) -> None:
        self.pulled += 1
        stream.append(self)
        report("half")
        self._do(self._pulls)

    def close(self) -> None:
        self.let_go.set()

    def remove(self, name: str) -> None:
        self.removed.append(name)

    def _do(self, script: list[Any]) -> Any:
        step = script.pop(0) if len(script) > 1 else script[0]
        if step == "hang":
            self.let_go.wait(10)
            return None
        if isinstance(step, Exception):
            raise step
        return step


class Stand:
    """A Starter on a ScriptedEngine, and what it had to say."""

    def __init__(self, engine: ScriptedEngine, **limits: float) -> None:
        machine: Any = engine
        self.engine = engine
        self.figures = Figures()
        self.said: list[str] = []
        self.unwanted = asyncio.Event()
        chosen = Limits(**limits)
        self.pulls = Pulls(machine, chosen.pull_timeout_seconds, self.figures)
        self.starter = Starter(machine, self.pulls, chosen, self.figures)

    async def start(self, image: str = IMAGE) -> Begun:
        launch = make_launch("", image=image, say=self.said.append)
        return await self.starter.start(launch, "name", {}, self.unwanted)

    async def refusal(self, image: str = IMAGE, *, transient: bool = False) -> str:
        with pytest.raises(LaunchFailed) as caught:
            await self.start(image)
        assert caught.value.transient == transient
        return caught.value.reason


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(starting, "PAUSES_SECONDS", (0.001,))
    monkeypatch.setattr(pulling, "PAUSES_SECONDS", (0.001,))


async def test_an_engine_that_is_away_is_waited_for() -> None:
    stand = Stand(ScriptedEngine([NoAnswer("refused")] * 20 + [None]))
    assert await stand.start() == BEGUN
    assert "the Docker engine did not answer: refused; trying again" in stand.said[0]


async def test_an_engine_that_stays_away_is_given_up_at_the_limit() -> None:
    stand = Stand(ScriptedEngine([NoAnswer("refused")]), start_timeout_seconds=1.0)
    reason = await stand.refusal(transient=True)
    assert "did not run within start_timeout_seconds = 1" in reason
    assert "refused" in stand.said[-1]


async def test_an_engine_that_says_no_again_and_again_means_it() -> None:
    full = LaunchFailed("no space left on device", transient=True)
    refused = Stand(ScriptedEngine([full])).refusal(transient=True)
    assert await refused == "no space left on device"
    assert await Stand(ScriptedEngine([full] * 3 + [None])).start() == BEGUN


async def test_what_an_engine_took_and_never_ran_is_given_up_and_removed() -> None:
    engine = ScriptedEngine(["hang"])
    stand = Stand(engine, start_timeout_seconds=0.05)
    reason = await stand.refusal(transient=True)
    assert "start_timeout_seconds = 0.05: the Docker engine was asked and has not" in reason
    assert engine.removed == []
    engine.let_go.set()
    await asyncio.gather(*stand.starter.under_way)
    assert engine.removed == ["name"]


async def test_a_missing_image_is_pulled_once_for_all_who_wait() -> None:
    engine = ScriptedEngine([MISSING, MISSING, MISSING, None])
    stand = Stand(engine)
    assert await asyncio.gather(*(stand.start() for _ in range(3))) == [BEGUN] * 3
    assert engine.pulled == stand.figures.pulls == 1
    assert stand.said.count(f"pulling image '{IMAGE}'") == 3
    assert stand.said.count("half") == 3
    assert stand.figures.pull_seconds > 0


async def test_the_time_of_a_pull_is_not_that_of_the_start() -> None:
    class Slow(ScriptedEngine):
        def pull(self, *args: Any) -> None:
            time.sleep(1.2)
            super().pull(*args)

    stand = Stand(Slow([MISSING, NoAnswer("refused"), None]), start_timeout_seconds=1.0)
    assert await stand.start() == BEGUN


async def test_waiting_for_its_turn_is_not_the_time_of_a_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(starting, "STARTS_AT_ONCE", 1)
    engine = ScriptedEngine(["hang", None])
    stand = Stand(engine, start_timeout_seconds=1.0)
    first, second = (
        asyncio.create_task(stand.refusal(transient=True)),
        asyncio.create_task(stand.start()),
    )
    assert "was asked and has not done it" in await first
    assert await second == BEGUN
    engine.let_go.set()


async def test_a_pull_that_failed_for_now_is_tried_again() -> None:
    engine = ScriptedEngine([MISSING, None], [pull_refusal(IMAGE, 500, "EOF")] * 2 + [None])
    stand = Stand(engine)
    assert await stand.start() == BEGUN
    assert engine.pulled == 3
    assert any("EOF; trying again" in text for text in stand.said)


async def test_a_pull_that_fails_for_good_is_said_in_the_registrys_words() -> None:
    engine = ScriptedEngine([MISSING], [pull_refusal(IMAGE, 500, "denied: no such project")])
    stand = Stand(engine)
    expected = f"image '{IMAGE}' cannot be pulled: denied: no such project"
    assert await stand.refusal() == expected
    assert (engine.pulled, stand.figures.pull_failures) == (1, 1)


async def test_a_pull_that_takes_too_long_is_cut_short() -> None:
    engine = ScriptedEngine([MISSING], ["hang"])
    reason = await Stand(engine, pull_timeout_seconds=0.1).refusal(transient=True)
    assert "was not pulled within pull_timeout_seconds = 0.1" in reason
    assert engine.let_go.is_set()


async def test_a_pull_that_nobody_wants_any_more_is_cut_short() -> None:
    engine = ScriptedEngine([MISSING], ["hang"])
    stand = Stand(engine)
    start = asyncio.create_task(stand.refusal())
    while "half" not in stand.said:
        await asyncio.sleep(0.001)
    stand.unwanted.set()
    assert await start == starting.STOPPED
    await stand.pulls.close()
    await asyncio.to_thread(engine.let_go.wait, 10)


async def test_an_image_that_vanishes_again_and_again_is_given_up() -> None:
    engine = ScriptedEngine([MISSING])
    assert "removed again and again" in await Stand(engine).refusal()
    assert engine.pulled == starting.MAX_PULLS


@pytest.mark.parametrize("image", ["dag:1", "leoflow/dag:1", "team/dag"])
async def test_the_name_of_an_image_of_this_machine_is_not_looked_for_elsewhere(image: str) -> None:
    engine = ScriptedEngine([MISSING])
    assert "says no registry to pull it from" in await Stand(engine).refusal(image)
    assert engine.pulled == 0


@pytest.mark.parametrize(
    ("status", "text", "transient"),
    [
        (404, "manifest unknown", False),
        (500, "failed to resolve reference: not found", False),
        (500, "unauthorized: authentication required", False),
        (500, "pull access denied for x", False),
        (500, "no matching manifest for linux/arm64", False),
        (500, "toomanyrequests: you have reached your limit", True),
        (500, "dial tcp: lookup r.example: no such host", True),
        (500, "unexpected EOF", True),
        (503, "service unavailable", True),
    ],
)
def test_which_refusals_of_a_registry_are_final(status: int, text: str, transient: bool) -> None:
    assert pull_refusal("i", status, text).transient == transient
