"""The world of the crash tests."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
sys.path.insert(0, str(FOLDER))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "world.sock"
    command = [sys.executable, str(FOLDER / "world.py"), str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield path
        process.kill()
