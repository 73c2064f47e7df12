"""What an unchanged `leoflow build` costs before and besides the work: imports, time, instructions.

The number of instructions (callgrind) hardly depends on the machine or on its load. Only leoflow's
own process is counted, not the programs that it starts. Prints figures and judges nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.build.figure import Figures, figures_of
from benchmarks.build.process import BenchError

EXAMPLE = Path(__file__).parents[2] / "examples" / "01-hello"
ENTRY = "from leoflow_cli.entry import main; main()"
IMPORT = re.compile(r"import time:\s+(\d+) \|\s+(\d+) \|( +)(\S+)")
COUNTED = re.compile(r"Collected : (\d+)")
SHOWN = 15


@dataclass(frozen=True)
class Import:
    """One import, in microseconds; ``depth`` is 0 if the program itself asked for it."""

    module: str
    own_us: int
    cumulative_us: int
    depth: int


def main() -> int:
    """Measure, print and write JSON; 1 if leoflow itself fails."""
    arguments = _parser().parse_args()
    with tempfile.TemporaryDirectory(prefix="leoflow-bench-") as scratch:
        folder = Path(scratch) / "project"
        shutil.copytree(arguments.project, folder)
        call = ["build", str(folder), *shlex.split(arguments.options)]
        try:
            _output([sys.executable, "-c", ENTRY, *call])  # makes what is missing
            document = _measure(call, arguments.rounds, arguments.instructions)
        except BenchError as error:
            print(f"cli_start: {error}", file=sys.stderr)
            return 1
    document["command"] = shlex.join([Path(sys.executable).name, *sys.orig_argv[1:]])
    if arguments.json:
        arguments.json.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    _show(document)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--project", type=Path, default=EXAMPLE)
    parser.add_argument(
        "--options", default="", help="more options of `leoflow build`, as one text"
    )
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--instructions", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--json", type=Path)
    return parser


def _measure(call: Sequence[str], rounds: int, instructions: bool) -> dict[str, Any]:
    build = ["-c", ENTRY, *call]
    calls = {"build": build, "help": ["-c", ENTRY, "--help"], "interpreter": ["-c", "pass"]}
    imports = imports_in(_output([sys.executable, "-X", "importtime", *build]))
    bare = {
        one.module for one in imports_in(_output([sys.executable, "-X", "importtime", "-c", ""]))
    }
    own = [one for one in imports if one.module not in bare]
    heaviest = sorted(own, key=lambda one: -one.cumulative_us)[:SHOWN]
    return {
        "modules": {"all": len(imports), "besides_the_interpreter": len(own)},
        "import_seconds": sum(one.own_us for one in own) / 1e6,
        "heaviest": [asdict(one) for one in heaviest],
        "packages": _by_package(own),
        "seconds": {name: asdict(one) for name, one in _in_turns(calls, rounds).items()},
        "instructions": {name: _instructions(one) for name, one in calls.items()}
        if instructions and shutil.which("valgrind")
        else None,
    }


def imports_in(text: str) -> list[Import]:
    """Return what `python -X importtime` reports, in its order."""
    return [
        Import(found[4], int(found[1]), int(found[2]), (len(found[3]) - 1) // 2)
        for found in IMPORT.finditer(text)
    ]


def _by_package(imports: Sequence[Import]) -> list[dict[str, Any]]:
    """Return modules and milliseconds by top-level package, the most expensive first."""
    found: dict[str, tuple[int, int]] = {}
    for one in imports:
        number, own_us = found.get(one.module.partition(".")[0], (0, 0))
        found[one.module.partition(".")[0]] = (number + 1, own_us + one.own_us)
    ranked = sorted(found.items(), key=lambda item: -item[1][1])[:SHOWN]
    return [
        {"package": name, "modules": number, "own_ms": own_us / 1000}
        for name, (number, own_us) in ranked
    ]


def _in_turns(calls: dict[str, list[str]], rounds: int) -> dict[str, Figures]:
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(rounds + 1):
        for name, call in calls.items():
            started = time.perf_counter()
            _output([sys.executable, *call])
            if number:
                seconds[name].append(time.perf_counter() - started)
    return {name: figures_of(one) for name, one in seconds.items()}


def _instructions(call: Sequence[str]) -> int:
    options = ["--tool=callgrind", "--callgrind-out-file=/dev/null"]
    said = _output(["valgrind", *options, sys.executable, *call], {"PYTHONHASHSEED": "0"})
    found = COUNTED.search(said)
    if found is None:
        raise BenchError(f"valgrind gave no count:\n{said}")
    return int(found[1])


def _output(command: Sequence[str], environment: dict[str, str] | None = None) -> str:
    """Return what a command says on both streams."""
    done = subprocess.run(
        command,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode != 0:
        raise BenchError(f"'{shlex.join(command)}' left with {done.returncode}:\n{done.stdout}")
    return done.stdout


def _show(document: dict[str, Any]) -> None:
    print(document["command"])
    modules = document["modules"]
    besides = modules["besides_the_interpreter"]
    print(f"\n{modules['all']} modules, {besides} of them besides a bare interpreter")
    print("\n| call | median s | p95 s | min s | million instructions |\n|---|--:|--:|--:|--:|")
    counted = document["instructions"] or {}
    for name, one in document["seconds"].items():
        figures = f"{one['median']:.3f} | {one['p95']:.3f} | {one['min']:.3f}"
        millions = f"{counted[name] / 1e6:.0f}" if name in counted else "no valgrind"
        print(f"| {name} | {figures} | {millions} |")
    print("\n| heaviest imports | ms with all below |\n|---|--:|")
    for one in document["heaviest"]:
        print(f"| {one['module']} | {one['cumulative_us'] / 1000:.1f} |")
    print("\n| package | modules | own ms |\n|---|--:|--:|")
    for one in document["packages"]:
        print(f"| {one['package']} | {one['modules']} | {one['own_ms']:.1f} |")


if __name__ == "__main__":
    sys.exit(main())
