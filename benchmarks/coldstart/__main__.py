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
from benchmarks.coldstart import kubernetes, machine
from benchmarks.coldstart.chart import draw
from benchmarks.coldstart.option import Options, parse
from benchmarks.coldstart.page import DRAWN, write_pages
from benchmarks.coldstart.result import document
from benchmarks.coldstart.round import Outcome, Scenario, take_rounds
from benchmarks.coldstart.scenario import AGENTS, SCENARIOS, chosen
from benchmarks.coldstart.stage import Stage, connect, make_images, open_stage
from benchmarks.coldstart.table import tables

INTERRUPTED = 130
# How scenarios came out, and what they were measured on.
Measured = tuple[list[Outcome], dict[str, Any]]


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
    return 1 if any(one.failed for one in outcomes) else 0


def _measure(options: Options) -> tuple[list[Outcome], dict[str, Any]]:
    if options.kubernetes is not None:
        outcomes, facts = _on_cluster(options, options.kubernetes)
    else:
        outcomes, facts = _on_engine(options)
    return outcomes, document(outcomes, machine.command(), machine.commit(), facts, options.seed)


def _on_cluster(options: Options, image: str) -> Measured:
    cluster = kubernetes.connect(image)
    facts, shuffled = kubernetes.facts(cluster), random.Random(options.seed)
    work = take_rounds(cluster, kubernetes.POD_SCENARIOS, options.rounds, shuffled, _say)
    return asyncio.run(work), facts


def _on_engine(options: Options) -> Measured:
    scenarios, client = chosen(options.only, options.groups), connect()
    try:
        return asyncio.run(_on_stage(options, scenarios, client))
    finally:
        client.close()


async def _on_stage(
    options: Options, scenarios: Sequence[Scenario[Stage]], client: Any
) -> Measured:
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
    if options.plot is not None:
        options.plot.write_text(draw(found, DRAWN), encoding="utf-8")
    if options.write_readme:
        write_pages(found)
    print(f"{found['command']}\n{json.dumps(found['machine'])}\n\n{tables(found)}")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
