"""A server that is killed again and again: each run ends right, and no try is started twice."""

from __future__ import annotations

import json
import socket
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from behaviour import LINES, expected_tries, expected_values, make_crash_dag
from leoflow_controlplane.controlplane import DATABASE_NAME

FOLDER = Path(__file__).parent
DAG = make_crash_dag()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "world.sock"
    command = [sys.executable, str(FOLDER / "world.py"), str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield path
        process.kill()


def ask_world(path: Path) -> dict[str, Any]:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        client.sendall(b'{"op": "tell"}\n')
        with client.makefile() as answers:
            return dict(json.loads(answers.readline()))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def kill_servers(home: Path, world: Path, seed: int, kills: int) -> int:
    """Return how many runs there are once so many servers were killed."""
    command = [sys.executable, str(FOLDER / "launcher.py"), str(home), str(world)]
    command += [str(free_port()), str(seed), str(kills)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=550, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["killed"] == kills
    return int(told["runs"])


def check(home: Path, world: Path, runs: int) -> None:
    with closing(sqlite3.connect(home / DATABASE_NAME)) as state:
        ends = dict(state.execute("SELECT run_id, state FROM runs").fetchall())
        values = state.execute(
            "SELECT r.run_id, x.task_id, x.value FROM xcoms x JOIN runs r ON r.id = x.run_pk"
        ).fetchall()
        tries = state.execute(
            "SELECT r.run_id, t.task_id, t.try_number, t.ended_at IS NOT NULL FROM tries t "
            "JOIN runs r ON r.id = t.run_pk"
        ).fetchall()
        lines = Counter(
            state.execute(
                "SELECT run_pk, task_id, text FROM journal j WHERE kind = 'log' AND try_number = "
                "(SELECT max(try_number) FROM tries t WHERE t.run_pk = j.run_pk "
                "AND t.task_id = j.task_id)"
            ).fetchall()
        )
    names = [f"run-{number}" for number in range(1, runs + 1)]
    assert ends == dict.fromkeys(names, "success")
    expected = expected_values(DAG)
    assert {(run, task): json.loads(value) for run, task, value in values} == {
        (name, task): value for name in names for task, value in expected.items()
    }
    assert set(lines.values()) == {1}
    assert len(lines) == runs * len(DAG.tasks) * LINES
    assert all(ended for *_, ended in tries)
    counted = Counter((run, task) for run, task, *_ in tries)
    assert counted == {
        (name, task): count for name in names for task, count in expected_tries(DAG).items()
    }
    told = ask_world(world)
    started = Counter({tuple(name): count for *name, count in told["created"]})
    assert set(started.values()) == {1}
    assert {(name[1], name[2], name[4]) for name in started} == {
        (run, task, number) for run, task, number, _ in tries
    }
    assert told["there"] == []
    assert told["refused"] == []


@pytest.mark.parametrize("kills", [25, pytest.param(200, marks=pytest.mark.long)])
def test_a_server_that_is_killed_again_and_again_forgets_nothing(
    tmp_path: Path, world: Path, kills: int
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    check(home, world, kill_servers(home, world, seed=kills, kills=kills))
