"""Compares `leoflow build` with hand-written Dockerfiles, whole command against whole command.

All contenders of a scenario take turns, round by round, in one run. Prints a table, writes JSON and
judges nothing. How to run it and what is fair about it: README.md beside this file.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmarks.build import contender as contenders
from benchmarks.build.contender import TARGETS, Contender, Place, Target, why_not
from benchmarks.build.figure import Trial, table
from benchmarks.build.process import BenchError, Shell, output_of
from benchmarks.build.proof import image_of, prove
from benchmarks.build.rivalbase import ensure_base
from benchmarks.build.scenario import (
    NAMES,
    WITH_NEW_LOCK,
    Deck,
    Name,
    Workshop,
    change_code,
    change_lock,
    write_project,
)
from benchmarks.build.service import package_index, registry
from benchmarks.build.warming import warm_leoflow, warm_rivals
from benchmarks.build.wheelhouse import Variant, download

DEFAULT_TARGETS: Mapping[Name, tuple[Target, ...]] = {
    "noop": ("engine",),
    "code": TARGETS,
    "requests": ("engine",),
    "pandas": ("engine",),
}


@dataclass(frozen=True)
class Arena:
    """What all trials of a run share."""

    work: Path
    index_url: str
    registry: str
    shop: Workshop
    build_help: str
    rounds: int


@dataclass
class Entrant:
    """A contender at its place, with what it has shown so far."""

    contender: Contender
    place: Place
    variant: Variant = field(default_factory=Variant)
    seconds: list[float] = field(default_factory=list)
    fault: str | None = None


def main() -> int:
    """Measure, print the table, write the JSON; 1 if what a measurement needs is missing."""
    arguments = _parser().parse_args()
    work = arguments.work.absolute()
    work.mkdir(parents=True, exist_ok=True)
    trials: list[Trial] = []
    # So that the servers end with this process, whoever ends it.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        with _arena(work, arguments) as arena:
            for scenario, target in _pairs(arguments):
                trials.append(_hold(arena, scenario, target, arguments))
                # After each, so that an interrupted run leaves what it has measured.
                text = json.dumps(_document(trials), indent=2) + "\n"
                (arguments.json or work / "compare.json").write_text(text, encoding="utf-8")
    except BenchError as error:
        print(f"compare: {error}", file=sys.stderr)
        return 1
    document = _document(trials)
    print(f"{document['command']}\n{json.dumps(document['machine'])}\n\n{table(trials)}")
    return 0


def _pairs(arguments: argparse.Namespace) -> list[tuple[Name, Target]]:
    return [
        (scenario, target)
        for scenario in arguments.only
        for target in arguments.targets or DEFAULT_TARGETS[scenario]
    ]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", type=_choice(NAMES), default=NAMES, help="scenarios, by commas")
    parser.add_argument("--targets", type=_choice(TARGETS), help="where to, by commas")
    parser.add_argument("--rivals", type=_choice(contenders.RIVALS), default=contenders.RIVALS[:2])
    parser.add_argument("--ours", type=_choice(contenders.OURS), default=contenders.OURS)
    parser.add_argument("--rounds", type=int, default=10, help="after one that is not counted")
    parser.add_argument("--without-locking", action="store_true", help="always lock beforehand")
    parser.add_argument("--work", type=Path, default=Path(".leoflow/bench-build"))
    parser.add_argument("--json", type=Path, help="default: compare.json in the work folder")
    return parser


def _choice(known: Sequence[str]) -> Callable[[str], tuple[str, ...]]:
    def parse(text: str) -> tuple[str, ...]:
        chosen = tuple(part.strip() for part in text.split(",") if part.strip())
        unknown = [one for one in chosen if one not in known]
        if unknown:
            listed = ", ".join(known)
            raise argparse.ArgumentTypeError(f"'{unknown[0]}' is none of {listed}")
        return chosen

    return parse


@contextmanager
def _arena(work: Path, arguments: argparse.Namespace) -> Iterator[Arena]:
    """Set everything up that is not measured."""
    salt = f"run-{time.time_ns()}"
    shell = Shell(work / "commands.log", {"LEOFLOW_HOME": str(work / "home")})
    shell.log.unlink(missing_ok=True)
    new_locks = any(one in WITH_NEW_LOCK for one in arguments.only)
    _say("downloading wheels")
    download(work / "wheels", shell)
    with package_index(work / "wheels", work) as index_url, registry(work) as host:
        shell = replace(shell, environment=_environment(work, index_url, host))
        shop = Workshop(work / "wheels", shell, salt)
        _say("making the base image of the Dockerfiles")
        ensure_base(work, index_url, shell)
        if new_locks:
            _say("filling the package caches")
            _forget_all_but_bases(work / "home" / "cache")
            if arguments.ours:
                warm_leoflow(work, shell)
            warm_rivals(work, index_url, shop)
        help_text = output_of(contenders.leoflow("build", "--help"), shell.environment)
        yield Arena(work, index_url, host, shop, help_text, arguments.rounds)


def _forget_all_but_bases(cache: Path) -> None:
    """Empty leoflow's cache, but for the base images: making one is not measured."""
    for one in cache.glob("*"):
        if one.name != "bases":
            shutil.rmtree(one)


def _environment(work: Path, index_url: str, host: str) -> dict[str, str]:
    """Return what makes both sides use this machine's index alone, whatever the user has set."""
    return {
        "LEOFLOW_HOME": str(work / "home"),
        "LEOFLOW_INSECURE_REGISTRIES": host,
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": index_url,
        "PIP_EXTRA_INDEX_URL": "",
        "PIP_FIND_LINKS": "",
        "UV_NO_CONFIG": "1",
    }


def _hold(arena: Arena, scenario: Name, target: Target, arguments: argparse.Namespace) -> Trial:
    """Let all who can take part do so in turns; who fails is left out from then on."""
    locking = scenario in WITH_NEW_LOCK and not arguments.without_locking
    entered = contenders.field(target, arguments.rivals, arguments.ours, locking)
    left_out = {one.name: why_not(one, arena.build_help) for one in entered}
    entrants = [_enter(one, scenario, arena) for one in entered if left_out[one.name] is None]
    decks = {ours: Deck(scenario) for ours in (True, False)}
    for number in range(-1, arena.rounds):
        _say(f"{scenario} to {target}, round {number + 1} of {arena.rounds}")
        for one in (one for one in entrants if one.fault is None):
            _take_turn(one, scenario, number, decks[one.contender.is_ours], arena)
    for one in entrants:
        _finish(one, arena)
    faults = {one.contender.name: one.fault for one in entrants if one.fault}
    absent = {name: reason for name, reason in left_out.items() if reason} | faults
    sound = {one.contender.name: one.seconds for one in entrants if one.fault is None}
    return Trial(scenario, target, sound, absent)


def _enter(contender: Contender, scenario: Name, arena: Arena) -> Entrant:
    name = f"{scenario}-{contender.target}-{contender.name}".replace("+", "-and-")
    repository = f"leoflow-bench/{name}:latest"
    reference = f"{arena.registry}/{repository}" if contender.target == "registry" else repository
    folder = arena.work / "projects" / name
    layout = arena.work / "layouts" / name
    shutil.rmtree(layout, ignore_errors=True)
    layout.parent.mkdir(parents=True, exist_ok=True)
    place = Place(folder, layout, reference, arena.index_url)
    write_project(folder, with_dockerfiles=not contender.is_ours)
    # What an earlier run installed may be found here: none of it is measured.
    change_lock(contender, place, Variant(), replace(arena.shop, salt="at the start"))
    return Entrant(contender, place)


def _take_turn(one: Entrant, scenario: Name, number: int, deck: Deck, arena: Arena) -> None:
    if scenario == "code":
        change_code(one.place.folder, arena.shop.salt)
    elif scenario in WITH_NEW_LOCK:
        one.variant = deck.deal(number)
        change_lock(one.contender, one.place, one.variant, arena.shop)
    try:
        seconds = arena.shop.shell.seconds_of(one.contender.commands(one.place))
    except BenchError as error:
        one.fault = f"failed: {str(error).splitlines()[-1]}"
        _say(str(error))
        return
    _say(f"  {one.contender.name:<24}{seconds:7.2f} s")
    if number >= 0:
        one.seconds.append(seconds)


def _finish(one: Entrant, arena: Arena) -> None:
    """Check the last image, and take it out of the engine."""
    try:
        if one.fault is None:
            prove(one.contender, one.place, one.variant, arena.shop.shell)
    except (BenchError, OSError, ValueError) as error:
        one.fault = f"built something else: {error}"
        _say(one.fault)
    if one.contender.target != "layout" and one.fault is None:
        arena.shop.shell.run(["docker", "image", "rm", image_of(one.contender, one.place)])


def _document(trials: Sequence[Trial]) -> dict[str, Any]:
    return {
        "command": shlex.join([Path(sys.executable).name, *sys.orig_argv[1:]]),
        "machine": {
            "cpus": os.cpu_count(),
            "load_average": os.getloadavg(),
            "system": platform.platform(),
            "engine": output_of(["docker", "version", "--format", "{{.Server.Version}}"]).strip(),
            "buildx": output_of(["docker", "buildx", "version"]).strip(),
        },
        "trials": [trial.as_document() for trial in trials],
    }


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
