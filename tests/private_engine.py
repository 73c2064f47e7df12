"""Gives a command a Docker engine: the one that answers, or a private one for as long as it runs.

It never stops an engine that it did not start and leaves no package source behind.
"""

import argparse
import fcntl
import os
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from engine import client
from engine.daemon import Engine
from engine.debian import install_engine, require_root
from engine.report import EngineUnavailable, say

WITHOUT = "Start one, or leave the container tests out: make test ENGINE=none"
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main() -> int:
    """Run the command line and return the exit code."""
    options = _parser().parse_args()
    kept = Engine(options.dir.absolute())
    _exit_on_signals()
    try:
        if options.stop:
            return _stop_kept(kept)
        return _keep(kept) if options.keep else _run(options.command, kept)
    except EngineUnavailable as error:
        say(f"{error}\n{WITHOUT}")
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    default = Path(tempfile.gettempdir()) / "leoflow-engine"
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--keep", action="store_true", help="start an engine and leave it running")
    mode.add_argument("--stop", action="store_true", help="stop the engine that --keep started")
    parser.add_argument("--dir", type=Path, default=default, help="where the kept engine lives")
    parser.add_argument("command", nargs="*", help="what to run, after --")
    return parser


def _run(command: list[str], kept: Engine) -> int:
    if not command:
        raise EngineUnavailable("no command to run: put it after --")
    if client.answers(os.environ) and client.has_buildx(os.environ):
        say("using the engine that answers")
        os.execvp(command[0], command)
    if kept.answers():
        say(f"using the kept engine at {kept.host}")
        os.execvpe(command[0], command, {**os.environ, **kept.environment()})
    with _private_engine(kept.folder.with_name(f"{kept.folder.name}-once")) as environment:
        return _run_and_wait(command, {**os.environ, **environment})


@contextmanager
def _private_engine(folder: Path) -> Iterator[dict[str, str]]:
    require_root()
    with _one_at_a_time(_lock_beside(folder)):
        install_engine()
        engine = Engine(folder)
        engine.stop()  # what a killed run left
        try:
            engine.start(dies_with_parent=True)
            yield engine.environment()
        finally:
            _ignore_signals()
            say("stopping the private dockerd and deleting its data")
            engine.stop()


def _lock_beside(folder: Path) -> Path:
    return folder.with_name("leoflow-engine.lock")


@contextmanager
def _one_at_a_time(lock: Path) -> Iterator[None]:
    """Two engines at once would fight for the bridge and its packet filter."""
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another private engine to end")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _run_and_wait(command: list[str], environment: dict[str, str]) -> int:
    """Run to the end; the terminal sends Ctrl-C to the command itself, other signals are passed."""
    child = subprocess.Popen(command, env=environment)

    def forward(number: int, _: FrameType | None) -> None:
        child.send_signal(number)

    signal.signal(signal.SIGINT, lambda *_: None)
    signal.signal(signal.SIGTERM, forward)
    signal.signal(signal.SIGHUP, forward)
    code = child.wait()
    return code if code >= 0 else 128 - code


def _keep(kept: Engine) -> int:
    if not kept.answers():
        require_root()
        with _one_at_a_time(_lock_beside(kept.folder)):
            install_engine()
            kept.stop()
            kept.start(dies_with_parent=False)
    lines = [f"export {k}={shlex.quote(v)}" for k, v in kept.environment().items()]
    (kept.folder / "env.sh").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(*lines, sep="\n")
    return 0


def _stop_kept(kept: Engine) -> int:
    say(f"stopping the engine in {kept.folder}")
    kept.stop()
    return 0


def _exit_on_signals() -> None:
    for number in SIGNALS:
        signal.signal(number, lambda received, _: sys.exit(128 + received))


def _ignore_signals() -> None:
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


if __name__ == "__main__":
    sys.exit(main())
