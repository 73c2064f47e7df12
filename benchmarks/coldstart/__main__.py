"""Measures what a task costs before, around and after its own code, and writes it down.

How to run it and what is measured: README.md beside this file. It judges nothing.
"""

from __future__ import annotations

import asyncio
import json
import random
import signal
import sys
from collections.abc import Sequence
from typing import Any

from leoflow_builder.failure import BuildError
from leoflow_cli.home import leoflow_home
from leoflow_controlplane.error import ControlPlaneError

from benchmarks.build.process import BenchError
from benchmarks.coldstart import machine
from benchmarks.coldstart.option import Options, parse
from benchmarks.coldstart.result import document
from benchmarks.coldstart.round import Outcome, Scenario, take_rounds
from benchmarks.coldstart.scenario import AGENTS, SCENARIOS, chosen
from benchmarks.coldstart.stage import connect, make_images, open_stage
from benchmarks.coldstart.table import tables

INTERRUPTED = 130


def main() -> int:
    """Measure, print the tables, write what was asked for; 1 if anything could not be measured."""
    options = parse(sys.argv[1:], [one.name for one in SCENARIOS], __doc__)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        outcomes, found = _measure(options)
    except KeyboardInterrupt:
        _say("coldstart: interrupted")
        return INTERRUPTED
    except (BenchError, BuildError, ControlPlaneError) as error:
        _say(f"coldstart: {error}")
        return 1
    _write(options, found)
    return 1 if any(one.fault for one in outcomes) else 0


def _measure(options: Options) -> tuple[list[Outcome], dict[str, Any]]:
    scenarios, client = chosen(options.only, options.groups), connect()
    try:
        outcomes, facts = asyncio.run(_on_stage(options, scenarios, client))
    finally:
        client.close()
    found = document(outcomes, machine.command(), machine.commit(), facts, options.seed)
    return outcomes, found


async def _on_stage(
    options: Options, scenarios: Sequence[Scenario], client: Any
) -> tuple[list[Outcome], dict[str, Any]]:
    home = leoflow_home()
    images = make_images({project for one in scenarios for project in one.projects}, home, client)
    shuffled = random.Random(options.seed)
    async with open_stage(home, client, images, AGENTS) as stage:
        facts = machine.facts(client, stage.meter.why_not)
        outcomes = await take_rounds(stage, scenarios, options.rounds, shuffled, _say)
    return outcomes, facts


def _write(options: Options, found: dict[str, Any]) -> None:
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print(f"{found['command']}\n{json.dumps(found['machine'])}\n\n{tables(found)}")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
