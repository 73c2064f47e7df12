"""Folders for work in progress, which vanish with the work or with the next one's beginning."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from leoflow_builder.scratch import scratch_folder

HOLDER = """
import sys
from pathlib import Path
from leoflow_builder.scratch import scratch_folder

with scratch_folder("work-", Path(sys.argv[1])) as folder:
    print(folder, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path: Path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, tmp_path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        yield process
        process.kill()


def test_a_folder_is_empty_and_gone_afterwards(tmp_path: Path) -> None:
    with scratch_folder("work-", tmp_path) as folder:
        assert list(folder.iterdir()) == []
        (folder / "sub").mkdir()
    assert list(tmp_path.iterdir()) == []


def test_a_failure_takes_the_folder_along(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), scratch_folder("work-", tmp_path):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_two_at_once_do_not_touch_each_other(tmp_path: Path) -> None:
    with scratch_folder("work-", tmp_path) as one, scratch_folder("work-", tmp_path) as other:
        assert one != other
        assert one.exists()


def test_what_a_living_process_works_on_stays(tmp_path: Path, holder) -> None:
    theirs = Path(holder.stdout.readline().strip())
    with scratch_folder("work-", tmp_path):
        assert theirs.exists()


def test_what_a_killed_process_left_is_removed_by_the_next(tmp_path: Path, holder) -> None:
    theirs = Path(holder.stdout.readline().strip())
    holder.kill()
    holder.wait()
    assert theirs.exists()
    with scratch_folder("work-", tmp_path):
        assert not theirs.exists()


def test_folders_of_another_kind_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "other-1").mkdir()
    (tmp_path / "work-file").touch()
    (tmp_path / "work-link").symlink_to(tmp_path / "other-1")
    with scratch_folder("work-", tmp_path):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other-1", "work-file", "work-link"]


def test_a_folder_may_be_renamed_away(tmp_path: Path) -> None:
    with scratch_folder("work-", tmp_path) as folder:
        (folder / "made").touch()
        folder.rename(tmp_path / "kept")
    assert [path.name for path in tmp_path.rglob("*")] == ["kept", "made"]


def test_in_the_systems_folder_a_name_that_may_be_anybodys_is_refused(
    tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "frames-of-my-film").mkdir()
    with pytest.raises(ValueError, match="'frames-' may be anybody's"), scratch_folder("frames-"):
        pass
    with scratch_folder("leoflow-frames-") as folder:
        assert folder.parent == tmp_path
    assert [path.name for path in tmp_path.iterdir()] == ["frames-of-my-film"]
