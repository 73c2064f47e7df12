"""Runs a command in a process group of its own, of which nothing is left after the time limit.

It passes on no variable, no open file and no input that it is not given.
"""

import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from subprocess import CompletedProcess

GRACE_SECONDS = 2.0


def run_bounded(
    command: list[str],
    stdin: bytes | None,
    environment: Mapping[str, str],
    cwd: Path,
    timeout_seconds: float | None,
) -> CompletedProcess[bytes]:
    """Run a command to its end; at the limit, kill its group and raise `TimeoutExpired`.

    Whatever else interrupts it kills the group as well. `timeout_seconds` None: no limit.
    """
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        cwd=cwd,
        start_new_session=True,
    ) as process:
        try:
            output, errors = process.communicate(stdin, timeout=timeout_seconds)
        except subprocess.TimeoutExpired as late:
            raise _killed(process, late) from None
        except BaseException:
            _kill_group(process)
            process.wait()  # leaving by Ctrl-C, Popen would not
            raise
        return CompletedProcess(command, process.returncode, output, errors)


def _killed(
    process: subprocess.Popen[bytes], late: subprocess.TimeoutExpired
) -> subprocess.TimeoutExpired:
    _kill_group(process)
    try:
        output, errors = process.communicate(timeout=GRACE_SECONDS)
    except subprocess.TimeoutExpired as held:  # a process that left the group holds the pipes
        _close_pipes(process)
        return subprocess.TimeoutExpired(late.cmd, late.timeout, held.output, held.stderr)
    return subprocess.TimeoutExpired(late.cmd, late.timeout, output, errors)


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        process.kill()


def _close_pipes(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
