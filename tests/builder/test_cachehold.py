"""Who uses what of the cache, told between processes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from leoflow_builder.cachehold import claimed, hold

HOLDER = """
import sys
from pathlib import Path
from leoflow_builder.cachehold import hold

hold(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def entry(tmp_path: Path) -> Path:
    made = tmp_path / "deps" / "key"
    made.mkdir(parents=True)
    return made


@pytest.fixture
def holder(entry: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", HOLDER, str(entry)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def is_free(entry: Path) -> bool:
    with claimed(entry) as free:
        return free


def test_what_nobody_uses_is_free(entry: Path) -> None:
    assert is_free(entry)
    assert is_free(entry)


def test_what_this_process_uses_is_not_free(entry: Path) -> None:
    hold(entry)
    hold(entry)
    assert not is_free(entry)
    assert is_free(entry.with_name("other"))


def test_what_another_process_uses_is_free_once_that_is_dead(entry: Path, holder) -> None:
    assert not is_free(entry)
    assert is_free(entry.with_name("other"))
    holder.kill()
    holder.wait()
    assert is_free(entry)


def test_a_hold_is_noted_as_the_last_use(entry: Path) -> None:
    os.utime(entry, (1, 1))
    hold(entry)
    assert entry.stat().st_mtime > 1


def test_a_cache_that_was_removed_by_hand_can_be_held_again(entry: Path) -> None:
    hold(entry)
    shutil.rmtree(entry.parent)
    entry.mkdir(parents=True)
    assert is_free(entry)
    hold(entry)
    assert not is_free(entry)


def test_a_cache_that_cannot_be_written_is_used_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    hold(tmp_path / "file" / "key")


def test_a_forked_process_holds_nothing_of_its_parent(entry: Path) -> None:
    hold(entry)
    pid = os.fork()
    if pid == 0:
        # As its locks are not inherited, it has to take them again.
        os._exit(0 if is_free(entry) is False else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert not is_free(entry)
