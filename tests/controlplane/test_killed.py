"""A control plane that is killed in the middle of reports loses none and takes none twice."""

from __future__ import annotations

import json
import os
import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import leoflow_agent
import pytest
from freeport import free_port
from leoflow_controlplane.controlplane import DATABASE_NAME

KILLS = 5
# However slowly a control plane starts: it goes on until that one was killed often enough.
TASK = """
import os, time
def task():
    printed = 0
    while not os.path.exists({enough!r}):
        print("line", printed)
        printed += 1
        time.sleep(0.004)
    return printed
"""


class Killable:
    """The process of ``killable``, which is killed and started again on the same state."""

    def __init__(self, home: Path) -> None:
        self._port = free_port()
        self._home = home
        self.process = self._start("submit")
        self.workload = self.process.stdout.readline().decode()

    def _start(self, *arguments: str) -> subprocess.Popen[bytes]:
        script = str(Path(__file__).with_name("killable.py"))
        command = [sys.executable, script, str(self._home), str(self._port), *arguments]
        return subprocess.Popen(command, stdout=subprocess.PIPE)

    def restart(self) -> None:
        self.kill()
        self.process = self._start()
        assert self.process.stdout.readline() == b"ready\n"

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture
def killable(tmp_path: Path) -> Iterator[Killable]:
    plane = Killable(tmp_path)
    yield plane
    plane.kill()


@pytest.mark.parametrize("seed", [1, 2])
def test_a_control_plane_killed_in_mid_report_loses_and_doubles_nothing(
    killable: Killable, tmp_path: Path, seed: int
) -> None:
    enough = tmp_path / "enough"
    (tmp_path / "steps.py").write_text(TASK.format(enough=str(enough)))
    agent = subprocess.Popen(
        [sys.executable, "-I", "-S", str(Path(leoflow_agent.__file__).with_name("__main__.py"))],
        env={
            "PATH": os.environ["PATH"],
            "LEOFLOW_DAG_FOLDER": str(tmp_path),
            "LEOFLOW_WORKLOAD": killable.workload,
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    lot = random.Random(seed)
    for _ in range(KILLS):
        # Reports go one after the other, so that any instant is in the middle of one.
        time.sleep(lot.uniform(0.2, 0.6))
        killable.restart()
    enough.touch()
    _, errors = agent.communicate(timeout=300)
    assert agent.returncode == 0, errors
    assert b"the control plane is away" in errors
    killable.kill()
    with closing(sqlite3.connect(tmp_path / DATABASE_NAME)) as database:
        logs = database.execute("select text, seq from journal where kind = 'log' order by id")
        texts, numbers = zip(*logs, strict=True)
        ((printed,),) = database.execute("select value from xcoms where key = 'return_value'")
        assert "".join(texts) == "".join(f"line {n}\n" for n in range(json.loads(printed)))
        assert list(numbers) == sorted(set(numbers))
        (row,) = database.execute("select state, reported_verdict, acked_seq from tries")
        assert row[:2] == ("success", 1)
        assert row[2] > numbers[-1]
