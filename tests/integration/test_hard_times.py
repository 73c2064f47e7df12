"""Builds that are killed, that meet each other, or that run out of disk leave the cache whole."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

SETTINGS = """\
dag_id: hard
dependencies: [idna==3.7, certifi==2024.7.4, six==1.17.0]
defaults: {resources: {requests: {cpu: 100m, memory: 64Mi}}}
"""
DAG = """\
import certifi, idna, six
from leoflow import dag, task


@task
def act():
    return 1


@dag
def hard():
    act()


hard()
"""
LEOFLOW = [sys.executable, "-c", "from leoflow_cli.entry import main; main()"]
INSTANTS = (0.3, 0.6, 0.9, 1.3, 1.8)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_project(tmp_path / "project")


def make_project(folder: Path) -> Path:
    folder.mkdir()
    (folder / "leoflow.yaml").write_text(SETTINGS)
    (folder / "dag.py").write_text(DAG)
    return folder


@pytest.fixture
def cold(tmp_path: Path, shared_home: Path) -> Path:
    """A LEOFLOW_HOME that has bases and nothing else."""
    home = tmp_path / "cold"
    (home / "cache").mkdir(parents=True)
    for name in ("bases", "debs"):
        (shared_home / "cache" / name).mkdir(parents=True, exist_ok=True)
        (home / "cache" / name).symlink_to(shared_home / "cache" / name)
    return home


def start(project: Path, home: Path, output: Path) -> subprocess.Popen[str]:
    command = [*LEOFLOW, "build", str(project), "--output", str(output), "--json"]
    return subprocess.Popen(
        command,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "LEOFLOW_HOME": str(home)},
        start_new_session=True,
    )


def digest(process: subprocess.Popen[str]) -> str:
    out, errors = process.communicate()
    assert process.returncode == 0, errors
    found: str = json.loads(out)["digest"]
    return found


def test_a_killed_build_leaves_nothing_that_the_next_one_stumbles_over(
    project: Path, home: Path, cold: Path, tmp_path: Path
) -> None:
    whole = digest(start(project, home, tmp_path / "whole"))
    for instant in INSTANTS:
        process = start(project, cold, tmp_path / "out")
        time.sleep(instant)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
    # What a killed build had started may still write while the first one after it sweeps.
    for _ in range(2):
        assert digest(start(project, cold, tmp_path / "out")) == whole
    left = [one.name for one in (cold / "cache").rglob(".making-*")]
    assert left == []


def test_builds_at_the_same_time_make_each_wheel_once(cold: Path, tmp_path: Path) -> None:
    projects = [make_project(tmp_path / f"project-{number}") for number in range(5)]
    builds = [start(one, cold, tmp_path / f"out-{one.name}") for one in projects]
    assert len({digest(one) for one in builds}) == 1
    for kind, number in (("wheels", 3), ("deps", 1), ("dags", 1), ("agents", 1)):
        made = [one for one in (cold / "cache" / kind).iterdir() if one.is_dir()]
        assert len(made) == number, kind


def test_two_builds_in_one_folder_both_end_well(project: Path, home: Path, tmp_path: Path) -> None:
    builds = [start(project, home, tmp_path / "out") for _ in range(2)]
    assert len({digest(one) for one in builds}) == 1
    document = json.loads((project / "dag.json").read_text())
    assert document["image"]["reference"].startswith("leoflow/hard:")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk with room for a few blobs."""
    folder = tmp_path / "small"
    folder.mkdir()
    order = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    subprocess.run(order, check=True)
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a disk that is too small")
@pytest.mark.parametrize("name", ["layout", "image.tar"])
def test_a_full_disk_is_told_and_leaves_no_half_an_image(
    project: Path, home: Path, small_disk: Path, name: str
) -> None:
    process = start(project, home, small_disk / name)
    _, errors = process.communicate()
    assert process.returncode == 3
    assert "cannot be written: No space left on device. Free space" in errors
    assert not (small_disk / name / "index.json").exists()
    assert not (small_disk / "image.tar").exists()
    assert not (project / "dag.json").exists()
