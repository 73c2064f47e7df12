"""How scenarios take turns, and what becomes of one that fails."""

import asyncio
import random
from collections.abc import Callable

import pytest

from benchmarks.build.process import BenchError
from benchmarks.coldstart import round as turns
from benchmarks.coldstart.round import NotHere, Outcome, Scenario, take_rounds
from benchmarks.coldstart.stage import Sample

Diary = list[str]


def _scenario(name: str, error: Exception | None = None, on_turn: int = 1) -> Scenario[Diary]:
    async def take_turn(diary: Diary) -> Sample:
        diary.append(name)
        if error is not None and diary.count(name) >= on_turn:
            raise error
        return {"total": float(diary.count(name))}

    return Scenario(name, name, (), take_turn)


async def _take(diary: Diary, rounds: int, *scenarios: Scenario[Diary]) -> list[Outcome]:
    return await take_rounds(diary, scenarios, rounds, random.Random(1), lambda text: None)


async def test_every_round_runs_every_scenario_once_and_orders_differ() -> None:
    diary: Diary = []
    names = "abcd"
    await _take(diary, 9, *map(_scenario, names))
    rounds = ["".join(diary[at : at + 4]) for at in range(0, len(diary), 4)]
    assert len(rounds) == 10
    assert {"".join(sorted(one)) for one in rounds} == {names}
    assert len(set(rounds)) > 3


async def test_the_first_round_is_not_counted() -> None:
    (outcome,) = await _take([], 2, _scenario("a"))
    assert [one["total"] for one in outcome.samples] == [2.0, 3.0]


async def test_what_fails_is_left_out_and_keeps_what_it_has_shown() -> None:
    diary: Diary = []
    failing = _scenario("bad", BenchError("it broke"), on_turn=3)
    bad, good = await _take(diary, 4, failing, _scenario("good"))
    assert (bad.fault, bad.failed, len(bad.samples)) == ("it broke", True, 1)
    assert len(good.samples) == 4
    assert diary.count("bad") == 3


async def test_what_does_not_exist_here_is_no_failure() -> None:
    (outcome,) = await _take([], 1, _scenario("crun", NotHere("there is no crun")))
    assert (outcome.fault, outcome.failed) == ("there is no crun", False)


async def test_a_turn_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "TURN_SECONDS", 0.01)
    ended: list[bool] = []

    async def hang(diary: Diary) -> Sample:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append(True)
        return {"total": 0.0}

    (outcome,) = await _take([], 1, Scenario("slow", "slow", (), hang))
    assert outcome.failed
    assert outcome.fault == "it took longer than 0.01 s"
    assert ended == [True]


async def test_what_is_done_is_told() -> None:
    said: list[str] = []
    say: Callable[[str], None] = said.append
    await take_rounds([], [_scenario("a")], 1, random.Random(1), say)
    assert [line.strip() for line in said] == [
        "a round that is not counted",
        "a                             1.0 ms",
        "round 1 of 1",
        "a                             2.0 ms",
    ]
