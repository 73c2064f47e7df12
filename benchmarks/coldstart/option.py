"""What can be asked for on the command line. Starts nothing."""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROUNDS, QUICK_ROUNDS = 20, 3


@dataclass(frozen=True)
class Options:
    """``only`` names scenarios; empty: those of ``groups``."""

    rounds: int
    only: tuple[str, ...]
    groups: tuple[str, ...]
    seed: int
    json: Path | None
    plot: Path | None
    write_readme: bool
    kubernetes: str | None = None


def parse(arguments: Sequence[str], names: Sequence[str], description: str | None) -> Options:
    """Read the command line; leaves with 2 and a text if it is wrong."""
    parser = argparse.ArgumentParser(prog="benchmarks.coldstart", description=description)
    parser.add_argument("--only", type=_chosen(names), default=(), help="scenarios, by commas")
    parser.add_argument("--rounds", type=_positive, help=f"{ROUNDS}, or {QUICK_ROUNDS} if quick")
    parser.add_argument("--quick", action="store_true", help="a look, within two minutes")
    parser.add_argument("--settings", action="store_true", help="settings of the engine as well")
    parser.add_argument("--with-airflow", action="store_true", help="Airflow's supervisor as well")
    parser.add_argument(
        "--kubernetes", metavar="IMAGE", help="nothing but Pods of this image of noop/"
    )
    parser.add_argument("--seed", type=int, help="of the order within rounds")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the document there")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="write the picture there (SVG)")
    parser.add_argument("--write-readme", action="store_true", help="table and picture in the docs")
    found = parser.parse_args(arguments)
    if found.write_readme and (found.only or found.kubernetes):
        parser.error("--write-readme takes all scenarios: leave --only and --kubernetes out")
    groups = [] if found.quick else ["long"]
    groups += ["settings"] if found.settings else []
    groups += ["airflow"] if found.with_airflow else []
    return Options(
        rounds=found.rounds or (QUICK_ROUNDS if found.quick else ROUNDS),
        only=found.only,
        groups=("standard", *groups),
        seed=random.randrange(10**6) if found.seed is None else found.seed,
        json=found.json,
        plot=found.plot,
        write_readme=found.write_readme,
        kubernetes=found.kubernetes,
    )


def _positive(text: str) -> int:
    number = int(text) if text.isdigit() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is no number of rounds: write 1 or more")
    return number


def _chosen(known: Sequence[str]) -> Callable[[str], tuple[str, ...]]:
    def choose(text: str) -> tuple[str, ...]:
        chosen = tuple(word.strip() for word in text.split(",") if word.strip())
        unknown = [one for one in chosen if one not in known]
        if unknown or not chosen:
            listed = ", ".join(known)
            raise argparse.ArgumentTypeError(f"'{(unknown or [text])[0]}' is none of {listed}")
        return chosen

    return choose
