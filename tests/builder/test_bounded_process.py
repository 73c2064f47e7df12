"""Commands in a group of their own, of which nothing is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from leoflow_builder.bounded_process import run_bounded

# Starts a second process, tells both ids through the file, and waits for ever.
FAMILY = """
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-ISc", "import time; time.sleep(600)"])
with open("ids.new", "w") as file:
    file.write(f"{os.getpid()} {child.pid}")
os.rename("ids.new", "ids")
time.sleep(600)
"""


def _ids(folder: Path) -> list[int]:
    while not (folder / "ids").exists():
        time.sleep(0.01)
    return [int(word) for word in (folder / "ids").read_text().split()]


def _is_gone(pid: int) -> bool:
    for _ in range(500):
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.01)
    return False


def test_a_command_without_a_limit_gives_its_output_and_exit_code(tmp_path: Path) -> None:
    program = "import sys; print(sys.stdin.read(), end=''); sys.exit(3)"
    done = run_bounded([sys.executable, "-c", program], b"hello", os.environ, tmp_path, None)
    assert (done.returncode, done.stdout, done.stderr) == (3, b"hello", b"")


def test_at_the_limit_the_whole_family_is_killed(tmp_path: Path) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        run_bounded([sys.executable, "-ISc", FAMILY], None, os.environ, tmp_path, 2)
    assert all(map(_is_gone, _ids(tmp_path)))


def test_ctrl_c_takes_the_whole_family_along(tmp_path: Path) -> None:
    def interrupt() -> None:
        _ids(tmp_path)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        run_bounded([sys.executable, "-c", FAMILY], None, os.environ, tmp_path, None)
    thread.join()
    assert all(map(_is_gone, _ids(tmp_path)))
