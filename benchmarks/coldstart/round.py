"""Lets scenarios take turns: each round runs every one of them once, in an order of its own.

So a slow moment of the machine hits all alike, and none is always after the same other.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from leoflow_controlplane.error import ControlPlaneError

from benchmarks.build.process import BenchError
from benchmarks.coldstart.stage import Sample, Stage

TURN_SECONDS = 120.0


class Scenario(NamedTuple):
    """One thing that is measured. A turn returns milliseconds by the name of what was measured.

    ``projects`` are the images that it needs, ``group`` says which option asks for it.
    """

    name: str
    title: str
    projects: tuple[str, ...]
    take_turn: Callable[[Stage], Awaitable[Sample]]
    group: str = "standard"


@dataclass
class Outcome:
    """What a scenario has shown. ``fault``: it failed and was left out from then on."""

    scenario: Scenario
    samples: list[Sample] = field(default_factory=list)
    fault: str | None = None


async def take_rounds(
    stage: Stage,
    scenarios: Sequence[Scenario],
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
    stage: Stage, outcome: Outcome, *, counted: bool, say: Callable[[str], None]
) -> None:
    name = outcome.scenario.name
    try:
        async with asyncio.timeout(TURN_SECONDS):
            sample = await outcome.scenario.take_turn(stage)
    except TimeoutError:
        outcome.fault = f"took longer than {TURN_SECONDS:g} s"
    except ControlPlaneError as error:
        outcome.fault = str(error)
    except BenchError as error:
        outcome.fault = str(error)
    else:
        say(f"  {name:<24}{sample['total']:9.1f} ms")
        if counted:
            outcome.samples.append(sample)
        return
    say(f"  {name:<24}left out: {outcome.fault}")
