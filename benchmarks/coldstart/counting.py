"""Counts what a start takes in a base's own interpreter: instructions, opened files, modules.

callgrind counts the same in every run and on every machine, and needs no engine. Knows nothing
of limits, and nothing of what is started.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

TIMEOUT_SECONDS = 120
# What the interpreter itself does may hang on these; the same for all that is compared.
ENVIRONMENT = {"LANG": "C.UTF-8", "PYTHONHASHSEED": "0"}
_OPENED = re.compile(r"SYSCALL\[\d+,\d+\]\(\d+\) sys_open(?:at)?\b[^(]*\(.*?0x[0-9a-f]+\(([^)]*)\)")
_TOTALS = re.compile(r"^totals: (\d+)", re.MULTILINE)


class CountingError(Exception):
    """What is needed for counting is missing, or what was started failed."""


@dataclass(frozen=True)
class Process:
    """One process of a start: its instructions, and the files that it opened, in order.

    Both include what happened before a fork.
    """

    instructions: int
    opened: tuple[str, ...]


@dataclass(frozen=True)
class Started:
    """What one start took: ``first`` is the process that was started, ``forked`` its children."""

    first: Process
    forked: tuple[Process, ...]
    exit_code: int
    stdout: str


@dataclass(frozen=True)
class _Done:
    pid: int
    args: tuple[str, ...]
    exit_code: int
    said: str


@dataclass(frozen=True)
class Interpreter:
    """The Python of an unpacked base, started through the base's own loader.

    ``python -S`` stands for the image's ``python -I -S``: here PYTHONHOME has to be heeded.
    """

    rootfs: Path

    def command(self, arguments: Sequence[str]) -> list[str]:
        """Return the command that runs ``python -S ARGUMENTS``."""
        libraries = self.rootfs / f"usr/lib/{platform.machine()}-linux-gnu"
        (python,) = (self.rootfs / "usr/bin").glob("python3.[0-9]*")
        loader = str(self.rootfs.with_name("loader"))
        options = ["--inhibit-cache", "--library-path", str(libraries)]
        return [loader, *options, str(python), "-S", *arguments]

    def environment(self, variables: Mapping[str, str]) -> dict[str, str]:
        """Return the whole environment of such a process."""
        return {**ENVIRONMENT, "PYTHONHOME": str(self.rootfs / "usr"), **variables}

    def count(
        self, arguments: Sequence[str], variables: Mapping[str, str] | None = None
    ) -> Started:
        """Run ``python -S ARGUMENTS`` to its end, with only ``variables`` in its environment.

        Raises CountingError without valgrind, or if a process leaves no count.
        """
        with tempfile.TemporaryDirectory(prefix="leoflow-count-") as name:
            folder = Path(name)
            options = [f"--log-file={folder}/log-%p", "--trace-syscalls=yes"]
            done = self._run(folder, options, arguments, variables or {})
            pids = [int(file.name) for file in folder.iterdir() if file.name.isdecimal()]
            logs = {pid: (folder / f"log-{pid}").read_text(errors="replace") for pid in pids}
            if done.pid not in pids:
                raise CountingError(f"{done.args!r} left no count; it said:\n{done.said}")
            found = {
                pid: Process(_total(folder / str(pid)), _opened(_before(pid, logs) + logs[pid]))
                for pid in pids
            }
        first = found.pop(done.pid)
        return Started(first, tuple(found.values()), done.exit_code, done.said)

    def count_all(self, arguments: Sequence[str], variables: Mapping[str, str]) -> int:
        """Return the instructions of all processes, what was before a fork counted once."""
        with tempfile.TemporaryDirectory(prefix="leoflow-count-") as name:
            # One log for all: a fork with a log of its own has one more file open than it should.
            options = [f"--log-file={name}/log", "--dump-before=fork"]
            self._run(Path(name), options, arguments, variables)
            counts = [file for file in Path(name).iterdir() if file.name[0].isdecimal()]
            if len(counts) < 2:
                raise CountingError("callgrind does not know the C library's function 'fork'")
            return sum(_total(file) for file in counts)

    def _run(
        self,
        folder: Path,
        options: Sequence[str],
        arguments: Sequence[str],
        variables: Mapping[str, str],
    ) -> _Done:
        if shutil.which("valgrind") is None:
            raise CountingError("there is no valgrind. Run tests/install-tools")
        counts = f"--callgrind-out-file={folder}/%p"
        process = subprocess.Popen(
            ["valgrind", "--tool=callgrind", counts, *options, *self.command(arguments)],
            env=self.environment(variables),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            said, _ = process.communicate(timeout=TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            said, _ = process.communicate()
            raise CountingError(f"not over after {TIMEOUT_SECONDS} s; it said:\n{said}") from None
        return _Done(process.pid, tuple(arguments), process.returncode, said)


def _total(file: Path) -> int:
    found = _TOTALS.search(file.read_text(errors="replace"))
    if found is None:
        raise CountingError(f"callgrind wrote no total for process {file.name}")
    return int(found[1])


def _opened(log: str) -> tuple[str, ...]:
    return tuple(_OPENED.findall(log))


def _before(pid: int, logs: Mapping[int, str]) -> str:
    """Return what the process that forked ``pid`` off did until then."""
    for log in logs.values():
        before, found, _ = log.partition(f"created child {pid}\n")
        if found:
            return before
    return ""
