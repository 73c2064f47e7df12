"""What a task is told that ends while the folder of its run holds more than it may."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path

import pytest
from leoflow_agent import staging

TASK = """
import os
def task(size):
    folder = os.environ["LEOFLOW_STAGING"]
    os.makedirs(folder + "/deep/er")
    open(folder + "/deep/er/file", "wb").write(b"x" * size)
    return "kept"
"""


@pytest.mark.parametrize(("size", "state"), [(100_000, "success"), (3_000_000, "failed")])
def test_a_task_that_keeps_more_than_the_size_fails(agent, tmp_path, size, state):
    folder = tmp_path / "staging"
    folder.mkdir()
    limit = str(2 * 1024**2)
    agent.environment = {"LEOFLOW_STAGING": str(folder), "LEOFLOW_STAGING_BYTES": limit}
    ended = agent.run(TASK, args=[size])
    finished = agent.control_plane.finished
    assert (finished["state"], ended.returncode) == (state, int(state == "failed"))
    if state == "failed":
        assert "shared folder holds 2.9 MiB, and its size is 2.0 MiB" in finished["reason"]
        assert "raise staging.size" in finished["reason"]


def test_links_are_not_followed_and_what_vanishes_is_nothing(tmp_path: Path):
    (tmp_path / "loop").symlink_to(tmp_path)
    before = staging.measure(os.fsencode(tmp_path))
    assert before < 10_000
    assert staging.measure(b"/no/such/folder") == 0


def test_a_file_that_vanishes_hides_none_of_the_others(tmp_path: Path, monkeypatch):
    for name in "abc":
        (tmp_path / name).write_bytes(b"x" * 100_000)
    scandir = staging.posix.scandir

    @contextmanager
    def vanishing(folder):
        with scandir(folder) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
        if (tmp_path / "a").exists():
            (tmp_path / "a").unlink()
        yield found

    monkeypatch.setattr(staging.posix, "scandir", vanishing)
    assert staging.measure(os.fsencode(tmp_path)) >= 200_000
