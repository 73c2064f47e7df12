"""The program that copies an agent into a Pod, run as it is run there."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from leoflow_builder.systemimage import copier


@pytest.fixture
def agents(tmp_path: Path) -> Path:
    folder = tmp_path / "agents"
    (folder / "3.11" / "leoflow_agent").mkdir(parents=True)
    (folder / "3.11" / "leoflow_agent" / "__main__.pyc").write_bytes(b"agent")
    shutil.copy(copier.__file__, folder / "copy.py")
    return folder


def copy(agents: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "-S", str(agents / "copy.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def test_an_agent_is_copied_into_a_volume_that_is_there_already(agents: Path, tmp_path: Path):
    volume = tmp_path / "volume"
    volume.mkdir()
    assert copy(agents, "3.11", volume).returncode == 0
    assert (volume / "leoflow_agent" / "__main__.pyc").read_bytes() == b"agent"


def test_a_python_without_an_agent_is_named_with_those_that_have_one(agents: Path, tmp_path: Path):
    done = copy(agents, "3.9", tmp_path)
    assert done.returncode == 1
    assert "Python '3.9'" in done.stderr
    assert "3.11" in done.stderr


def test_whoever_names_too_little_is_told_what_to_name(agents: Path):
    assert "copy.py PYTHON FOLDER" in copy(agents, "3.11").stderr
