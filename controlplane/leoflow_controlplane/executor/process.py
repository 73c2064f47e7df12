"""Start, find and kill the processes of a try; a mark in their environment tells them wherever
they went.

A process of the task may have a session of its own and an adopted parent; what it inherited
stays. Without /proc only the process group is found.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from leoflow_agent import exitcode

_PROC = Path("/proc")
# The shell becomes the agent; whoever finds the id of a process knows that the agent has begun.
_SCRIPT = 'cd -- "$0" && echo $$ >"$1" || exit 126; shift; exec "$@"'
_DEFAULT_SIGNALS = (signal.SIGPIPE, signal.SIGXFSZ)
_ALLOWED = ("PATH", "HOME", "LANG", "TZ", "TMPDIR")


def child_environment(own: Mapping[str, str], declared: Mapping[str, str]) -> dict[str, str]:
    """Give the environment of a task: what every program needs, what the DAG declares, and nothing
    else of ours."""
    allowed = {
        name: value for name, value in own.items() if name in _ALLOWED or name.startswith("LC_")
    }
    return {**allowed, **declared}


def spawn(
    command: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    output: Path,
    pid_file: Path,
) -> int:
    """Start ``command`` in a session of its own; return its process id, which it also writes to
    ``pid_file`` before anything else. Raises OSError."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    return os.posix_spawn(
        "/bin/sh",
        ["sh", "-c", _SCRIPT, str(folder), str(pid_file), *command],
        environment,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(output), flags, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
        setsigdef=_DEFAULT_SIGNALS,
    )


def open_marked(pid: int, name: str, value: str) -> int | None:
    """Open a process (a pidfd) if it still is the one that has ``name=value`` in its environment.

    A process of ours that took over the id is none.
    """
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return None
    # Looked at once it is held: what has the mark now is what was opened.
    if _mark_of(_PROC / str(pid), name) == value:
        return fd
    os.close(fd)
    return None


async def wait_for_end(fd: int) -> None:
    """Wait until the process of a pidfd has ended."""
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(fd, over.set)
    try:
        await over.wait()
    finally:
        loop.remove_reader(fd)


def reap(pid: int) -> int | None:
    """Take the exit code of a child that has ended, 128 + n for signal n; None if it is no child
    of ours."""
    try:
        _, status = os.waitpid(pid, 0)
    except ChildProcessError:
        return None
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else exitcode.SIGNAL_BASE - code


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
    for entry in _PROC.glob("[0-9]*"):
        value = _mark_of(entry, name)
        if value is not None:
            yield int(entry.name), value


def _mark_of(entry: Path, name: str) -> str | None:
    prefix = f"{name}=".encode()
    with contextlib.suppress(OSError):
        for variable in (entry / "environ").read_bytes().split(b"\0"):
            if variable.startswith(prefix):
                return variable[len(prefix) :].decode("utf-8", "replace")
    return None
