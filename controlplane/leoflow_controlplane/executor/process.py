"""Find and kill the processes of a try by a mark in their environment, wherever they went.

A process of the task may have a session of its own and an adopted parent; what it inherited
stays. Without /proc only the process group is found.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

_PROC = Path("/proc")


def kill_marked(mark: str) -> list[int]:
    """Kill our processes whose environment holds ``mark`` (NAME=VALUE); return their ids."""
    killed: list[int] = []
    # Whoever is forked while we look is found in the next round.
    while fresh := [pid for pid in _find_marked(mark.encode()) if pid not in killed]:
        for pid in fresh:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        killed += fresh
    return killed


def kill_group(pid: int) -> None:
    """Kill the process group that ``pid`` leads, if it is still there."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _find_marked(mark: bytes) -> Iterator[int]:
    for entry in _PROC.glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if mark in (entry / "environ").read_bytes().split(b"\0"):
                yield int(entry.name)
