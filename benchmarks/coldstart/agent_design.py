"""Measures the designs that docs/adr/0013 decides between, in the base's own interpreter.

Instructions are callgrind's; processor time is user and system time of both processes, medians of
runs that take turns. Prints a table and judges nothing. Takes valgrind, no engine.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from leoflow_builder.agentlayer import agent_sources, compile_agent
from leoflow_builder.baseimage import ensure_base
from leoflow_builder.bytecode import compile_sources, sources_below
from leoflow_builder.interpreter import RootfsInterpreter
from leoflow_cli.home import leoflow_home

from benchmarks.coldstart.counting import Interpreter
from benchmarks.coldstart.nooptry import control_plane, variables

INSIDE = "/opt/leoflow/agent"
LEAVE = "import posix; posix._exit(0)"
IMPORTS = (
    "gc", "select", "atexit", "errno", "_json", "_socket", "threading", "json",
    "http.client", "subprocess",
)  # fmt: skip
FLAGS = ((), ("-B",), ("-X", "utf8"), ("-X", "frozen_modules=off"), ("-X", "no_debug_ranges"))


@dataclass(frozen=True)
class Design:
    """A way to put the agent into an image and to start it."""

    name: str
    entry: Path
    fresh_interpreter: bool = False
    options: tuple[str, ...] = ()

    @property
    def arguments(self) -> list[str]:
        """Return what is handed to the interpreter."""
        return [*self.options, str(self.entry)]


def write_sources(folder: Path, change: Callable[[str], str] = lambda text: text) -> Path:
    """Write the agent's sources into ``folder``; ``change`` is for the text of its start."""
    for name, content in agent_sources().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        text = content.decode()
        start = name == "leoflow_agent/__main__.py"
        (folder / name).write_text(change(text) if start else text, encoding="utf-8")
    return folder


def replaced(old: str, new: str) -> Callable[[str], str]:
    """Return a change that puts ``new`` in place of ``old``, which has to be there once."""

    def change(text: str) -> str:
        if text.count(old) != 1:
            raise SystemExit(f"the agent's start has no longer one '{old}'")
        return text.replace(old, new)

    return change


def designs(root: Path, interpreter: RootfsInterpreter) -> Iterator[Design]:
    """Make each design below ``root``."""

    def bundled(name: str, change: Callable[[str], str] = lambda text: text) -> Path:
        folder = write_sources(root / name, change)
        compile_agent(folder, interpreter)
        return folder / "leoflow_agent/__main__.pyc"

    bundle = bundled("bundle")
    yield Design("bundle", bundle)
    yield Design("bundle, second interpreter for user code", bundle, fresh_interpreter=True)
    yield Design("bundle, -X utf8", bundle, options=("-X", "utf8"))
    fork = "    pid = posix.fork()\n"
    yield Design("bundle, gc.freeze", bundled("freeze", replaced(fork, _FREEZE + fork)))
    wait = "HEAD_START_MILLISECONDS = 5"
    yield Design("bundle, no head start", bundled("side", replaced(wait, wait[:-1] + "0")))
    folder = write_sources(root / "folder")
    compile_sources(interpreter, folder, INSIDE, sources_below(folder))
    yield Design("folder of .py and .pyc", folder / "leoflow_agent/__main__.py")
    yield Design("zip of .pyc, stored", _zipped(folder, root / "stored.pyz", zipfile.ZIP_STORED))
    packed = _zipped(folder, root / "packed.pyz", zipfile.ZIP_DEFLATED)
    yield Design("zip of .pyc, deflated", packed)
    yield Design("one .pyc", _alone(bundle, root / "alone"))


_FREEZE = "    import gc\n\n    gc.freeze()\n"


def _zipped(folder: Path, archive: Path, compression: int) -> Path:
    """Pack a folder's .pyc; its start has its own place in the archive, as in a zip application."""
    with zipfile.ZipFile(archive, "w", compression) as packed:
        for file in sorted(folder.rglob("*.pyc")):
            name = f"{file.name.partition('.')[0]}.pyc"
            packed.write(file, file.relative_to(folder).parent.parent / name)
        start = "import sys\nfrom leoflow_agent import __main__ as start\n"
        start += 'sys.modules["__main__"] = start\nstart.posix._exit(start.main())\n'
        packed.writestr("__main__.py", start)
    return archive


def _alone(bundle: Path, alone: Path) -> Path:
    """Put what the bundle's start reads from beside it behind the start file's own code.

    The interpreter reads one object of it; but first it looks through it for a zip archive's end.
    """
    alone.mkdir()
    content = bundle.with_name("agent.bin").read_bytes()
    shutil.copy(bundle.with_name("agent.bin"), alone)
    entry = alone / "__main__.pyc"
    entry.write_bytes(bundle.read_bytes() + content)
    return entry


def compare(rootfs: Path, runs: int) -> None:
    """Print all tables."""
    interpreter = Interpreter(rootfs)
    bare = interpreter.count(["-c", LEAVE]).first.instructions
    whole = interpreter.count(["-c", "pass"]).first.instructions
    print(f"bare to its first line {bare / 1e6:.2f} M, to its end {whole / 1e6:.2f} M")
    print("\n| on top of the bare interpreter | M instructions |\n|---|---|")
    for module in IMPORTS:
        more = interpreter.count(["-c", f"import {module}; {LEAVE}"]).first.instructions - bare
        print(f"| import {module} | {more / 1e6:.2f} |")
    for flags in FLAGS[1:]:
        more = interpreter.count([*flags, "-c", LEAVE]).first.instructions - bare
        print(f"| {' '.join(flags)} | {more / 1e6:+.2f} |")
    with tempfile.TemporaryDirectory(prefix="leoflow-design-") as root:
        made = list(designs(Path(root), RootfsInterpreter(rootfs)))
        _compare_designs(interpreter, made, bare, Path(root), runs)


def _compare_designs(
    interpreter: Interpreter, made: list[Design], bare: int, root: Path, runs: int
) -> None:
    timed = _take_turns(interpreter, made, root, runs)
    print(f"\n{runs} runs in turns\n")
    print("| design | to user code, M | times bare | opened | to user code, ms | CPU, ms |")
    print("|---|---|---|---|---|---|")
    for design in made:
        with tempfile.TemporaryDirectory(dir=root) as folder, control_plane(Path(folder)) as plane:
            given = variables(plane.endpoint, root, "posix", "_exit", [0], design.fresh_interpreter)
            started = interpreter.count(design.arguments, given)
        begin, cpu = (f"{statistics.median(part):.2f}" for part in timed[design.name])
        # A process that becomes another program is out of callgrind's sight.
        counted = "| | |"
        for child in started.forked:
            million, ratio = child.instructions / 1e6, child.instructions / bare
            counted = f"| {million:.2f} | {ratio:.3f} | {len(child.opened)}"
        print(f"| {design.name} {counted} | {begin} | {cpu} |", flush=True)
    begin, cpu = (f"{statistics.median(part):.2f}" for part in timed["bare"])
    print(f"| bare | {bare / 1e6:.2f} | 1 | | {begin} | {cpu} |")


def _take_turns(
    interpreter: Interpreter, made: list[Design], root: Path, runs: int
) -> dict[str, tuple[list[float], list[float]]]:
    """Return milliseconds until user code and of processor time, for each design."""
    timed: dict[str, tuple[list[float], list[float]]] = {"bare": ([], [])}
    timed |= {design.name: ([], []) for design in made}
    clock = root / "clock"
    clock.mkdir()
    (clock / "steps.py").write_text("import time\nprint(time.time())\ndef task(): pass\n")
    for number in range(runs + 1):
        found = {"bare": _time(interpreter, ["-c", "import time; print(time.time())"], {})}
        for design in made:
            with (
                tempfile.TemporaryDirectory(dir=root) as folder,
                control_plane(Path(folder)) as plane,
            ):
                fresh = design.fresh_interpreter
                given = variables(plane.endpoint, clock, "steps", "task", (), fresh)
                found[design.name] = _time(interpreter, design.arguments, given)
        for name, (begin, cpu) in found.items() if number else ():
            timed[name][0].append(begin)
            timed[name][1].append(cpu)
    return timed


def _time(
    interpreter: Interpreter, arguments: list[str], given: dict[str, str]
) -> tuple[float, float]:
    started = time.time()
    process = subprocess.Popen(
        interpreter.command(arguments),
        env=interpreter.environment(given),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout is not None
    said = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stdout.close()
    if process.returncode != 0:
        raise SystemExit(f"{arguments} left with {process.returncode}")
    return (float(said) - started) * 1000, (usage.ru_utime + usage.ru_stime) * 1000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=60)
    parser.add_argument("--rootfs", type=Path, help="an unpacked base; else the newest is taken")
    arguments = parser.parse_args()
    if shutil.which("valgrind") is None:
        raise SystemExit("there is no valgrind. Run tests/install-tools")

    def say(text: str) -> None:
        print(text, file=sys.stderr)

    rootfs = arguments.rootfs or ensure_base("3.11", leoflow_home(), say).rootfs
    compare(rootfs.absolute(), arguments.runs)


if __name__ == "__main__":
    main()
