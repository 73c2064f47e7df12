"""Lets scenarios take turns: each round runs every one of them once, in an order of its own.

So a slow moment of the machine hits all alike, and none is always after the same other.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar

from leoflow_controlplane.error import ControlPlaneError

from benchmarks.build.process import BenchError
from benchmarks.coldstart.stage import Sample

TURN_SECONDS = 120.0


S = TypeVar("S")


class NotHere(BenchError):
    """What a scenario is about does not exist on this machine; that is no failure."""


class Scenario(NamedTuple, Generic[S]):
    """One thing that is measured. A turn returns milliseconds by the name of what was measured.

    ``projects`` are the images that it needs, ``group`` says which option asks for it.
    """

    name: str
    title: str
    projects: tuple[str, ...]
    take_turn: Callable[[S], Awaitable[Sample]]
    group: str = "standard"


@dataclass
class Outcome:
    """What a scenario has shown. ``fault``: why it was left out from some turn on."""

    scenario: Scenario[Any]
    samples: list[Sample] = field(default_factory=list)
    fault: str | None = None
    failed: bool = False


async def take_rounds(
    stage: S,
    scenarios: Sequence[Scenario[S]],
    rounds: int,
    shuffled: random.Random,
    say: Callable[[str], None],
) -> list[Outcome]:
    """Measure ``rounds`` rounds after one that is not counted."""
    outcomes = [Outcome(one) for one in scenarios]
    for number in range(rounds + 1):
        say(f"round {number} of {rounds}" if number else "a round that is not counted")
        order = [one for one in outcomes if one.fault is None]
        shuffled.shuffle(order)
        for outcome in order:
            await _take_turn(stage, outcome, counted=number > 0, say=say)
    return outcomes


async def _take_turn(
    stage: S, outcome: Outcome, *, counted: bool, say: Callable[[str], None]
) -> None:
    name = outcome.scenario.name
    try:
        async with asyncio.timeout(TURN_SECONDS):
            sample = await outcome.scenario.take_turn(stage)
    except TimeoutError:
        outcome.fault, outcome.failed = f"it took longer than {TURN_SECONDS:g} s", True
    except (ControlPlaneError, BenchError) as error:
        outcome.fault, outcome.failed = str(error), not isinstance(error, NotHere)
    else:
        say(f"  {name:<24}{sample['total']:9.1f} ms")
        if counted:
            outcome.samples.append(sample)
        return
    say(f"  {name:<24}left out: {outcome.fault}")
