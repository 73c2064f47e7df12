"""A server that is killed again and again: each run ends right, and no try is started twice."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from asking import ask_world, free_port
from behaviour import LINES, expected_tries, expected_values, make_crash_dag
from leoflow_controlplane.controlplane import DATABASE_NAME
from sqlalchemy import create_engine, text

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


def launch(script: str, *arguments: object) -> dict[str, int]:
    """Run a launcher and give what it tells."""
    command = [sys.executable, str(FOLDER / script), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=580, check=False)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def check(url: str, world: Path, runs: int) -> None:
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:", 1))
    with engine.connect() as state:
        ends = dict(map(tuple, state.execute(text("SELECT run_id, state FROM runs"))))
        values = state.execute(
            text("SELECT r.run_id, x.task_id, x.value FROM xcoms x JOIN runs r ON r.id = x.run_pk")
        ).fetchall()
        tries = state.execute(
            text(
                "SELECT r.run_id, t.task_id, t.try_number, t.ended_at IS NOT NULL FROM tries t "
                "JOIN runs r ON r.id = t.run_pk"
            )
        ).fetchall()
        lines = Counter(
            state.execute(
                text(
                    "SELECT run_pk, task_id, text FROM journal j WHERE kind = 'log' "
                    "AND try_number = (SELECT max(try_number) FROM tries t "
                    "WHERE t.run_pk = j.run_pk AND t.task_id = j.task_id)"
                )
            ).fetchall()
        )
    engine.dispose()
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
    told = launch("launcher.py", home, world, free_port(), kills, kills)
    assert told["killed"] == kills
    check(f"sqlite:///{home / DATABASE_NAME}", world, told["runs"])


@pytest.mark.postgresql
@pytest.mark.parametrize("kills", [8, pytest.param(100, marks=pytest.mark.long)])
def test_replicas_of_which_the_leader_dies_again_and_again_forget_nothing(
    tmp_path: Path, world: Path, postgresql_url: str, kills: int
) -> None:
    told = launch("replicas.py", postgresql_url, tmp_path, world, kills, kills)
    assert told["killed"] >= kills
    check(postgresql_url, world, told["runs"])
