"""A server that is killed again and again: each run ends right, and no try is started twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from behaviour import make_crash_dag
from ending import check
from freeport import free_port
from leoflow_controlplane.controlplane import DATABASE_NAME

pytestmark = pytest.mark.timeout(1800)

FOLDER = Path(__file__).parent
# A run of the DAG takes about 130 commits, and each is the end of two servers.
CRASH_PARTS = 8


def run_names(count: int) -> list[str]:
    return [f"run-{number}" for number in range(1, count + 1)]


def launch(script: str, *arguments: object) -> dict[str, int]:
    """Run a launcher and give what it tells; the servers that are its forks end with it."""
    command = [sys.executable, str(FOLDER / script), *map(str, arguments)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            told, errors = process.communicate(timeout=1700)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 0, errors
    return dict(json.loads(told))


@pytest.mark.parametrize("kills", [25, pytest.param(200, marks=pytest.mark.long)])
def test_a_server_that_is_killed_again_and_again_forgets_nothing(
    tmp_path: Path, world: Path, kills: int
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    told = launch("launcher.py", home, world, free_port(), kills, kills)
    assert told["killed"] == kills
    check(f"sqlite:///{home / DATABASE_NAME}", world, make_crash_dag(), run_names(told["runs"]))


@pytest.mark.postgresql
@pytest.mark.parametrize("kills", [8, pytest.param(100, marks=pytest.mark.long)])
def test_replicas_of_which_the_leader_dies_again_and_again_forget_nothing(
    tmp_path: Path, world: Path, postgresql_url: str, kills: int
) -> None:
    told = launch("replicas.py", postgresql_url, tmp_path, world, kills, kills)
    assert told["killed"] >= kills
    check(postgresql_url, world, make_crash_dag(), run_names(told["runs"]))


@pytest.mark.long
@pytest.mark.parametrize(
    ("dag_id", "part", "parts"),
    [("small", 1, 1), *(("crash", part, CRASH_PARTS) for part in range(1, CRASH_PARTS + 1))],
)
def test_a_server_that_is_killed_at_any_commit_forgets_nothing(
    tmp_path: Path, world: Path, dag_id: str, part: int, parts: int
) -> None:
    told = launch("commits.py", tmp_path, world, free_port(), dag_id, part, parts)
    assert told["killed"] > 20
