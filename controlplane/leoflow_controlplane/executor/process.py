"""Find and kill the processes of a try by a mark in their environment, wherever they went.

A process of the task may have a session of its own and an adopted parent; what it inherited
stays. Without /proc only the process group is found.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

_PROC = Path("/proc")


def kill_marked(name: str, is_wanted: Callable[[str], bool]) -> list[int]:
    """Kill our processes in whose environment ``name`` has a wanted value; return their ids."""
    killed: list[int] = []
    # Whoever is forked while we look is found in the next round.
    while fresh := [
        pid for pid, value in find_marked(name) if is_wanted(value) and pid not in killed
    ]:
        for pid in fresh:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        killed += fresh
    return killed


def kill_group(pid: int) -> None:
    """Kill the process group that ``pid`` leads, if it is still there."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def find_marked(name: str) -> Iterator[tuple[int, str]]:
    """Find our processes that have the variable ``name`` in their environment, and its value."""
    prefix = f"{name}=".encode()
    for entry in _PROC.glob("[0-9]*"):
        with contextlib.suppress(OSError):
            for variable in (entry / "environ").read_bytes().split(b"\0"):
                if variable.startswith(prefix):
                    yield int(entry.name), variable[len(prefix) :].decode("utf-8", "replace")
