"""Starts whole commands and measures them by the wall clock.

It knows no tool that is compared; what a command prints goes to a log, and is shown if it fails.
"""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

Command = Sequence[str]
SHOWN_LINES = 15


class BenchError(Exception):
    """A command that a measurement needs failed, or something it needs is missing."""


@dataclass(frozen=True)
class Shell:
    """Where commands run: a log that they append to, and what is added to the environment."""

    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    def run(self, command: Command) -> None:
        """Run a command to its end; BenchError with the last lines if it fails."""
        with self.log.open("ab") as log:
            log.write(f"$ {' '.join(command)}\n".encode())
            log.flush()
            begin = log.tell()
            done = subprocess.run(
                command,
                env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        if done.returncode != 0:
            said = self.log.read_bytes()[begin:].decode(errors="replace").splitlines()
            tail = "\n".join(said[-SHOWN_LINES:])
            raise BenchError(f"'{' '.join(command)}' left with {done.returncode}:\n{tail}")

    def seconds_of(self, commands: Sequence[Command]) -> float:
        """Run commands one after the other; return the seconds by the wall clock."""
        started = time.perf_counter()
        for command in commands:
            self.run(command)
        return time.perf_counter() - started


def output_of(command: Command, environment: Mapping[str, str] | None = None) -> str:
    """Return what a command prints on stdout; BenchError if it fails or cannot be started."""
    try:
        done = subprocess.run(
            command,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
    except FileNotFoundError:
        raise BenchError(f"'{command[0]}' is not installed") from None
    if done.returncode != 0:
        raise BenchError(f"'{' '.join(command)}' left with {done.returncode}:\n{done.stderr}")
    return done.stdout


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for_port(port: int, process: subprocess.Popen[bytes], what: str) -> None:
    """Wait until something listens on a port of the loopback interface; BenchError if it ends."""
    deadline = time.monotonic() + 20
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None or time.monotonic() > deadline:
            raise BenchError(f"{what} does not listen on port {port}")
        time.sleep(0.05)
