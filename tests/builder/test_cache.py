"""Folders that are made once for a key, and are whole or not there."""

import multiprocessing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from leoflow_builder.cache import ensure_folder, ensure_folders, make_key


@given(st.lists(st.text()), st.lists(st.text()))
def test_keys_differ_if_and_only_if_the_parts_differ(one: list[str], other: list[str]) -> None:
    assert (make_key(one) == make_key(other)) == (one == other)


def test_a_folder_is_made_once(tmp_path: Path) -> None:
    made: list[Path] = []
    first = ensure_folder(tmp_path, "key", made.append)
    second = ensure_folder(tmp_path, "key", made.append)
    assert (first, second) == ((tmp_path / "key", False), (tmp_path / "key", True))
    assert len(made) == 1


def test_a_failure_leaves_nothing_behind(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").write_text("x")
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError):
        ensure_folder(tmp_path, "key", fail)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".users", "key.lock"]


def test_what_a_killed_process_left_is_thrown_away(tmp_path: Path) -> None:
    (tmp_path / ".making-key-1").mkdir()
    (tmp_path / ".making-key-1" / "half").write_text("x")
    folder, reused = ensure_folder(tmp_path, "key", lambda new: (new / "whole").touch())
    assert not reused
    assert [path.name for path in folder.iterdir()] == ["whole"]


def _make_slowly(parent: Path, gate: "multiprocessing.synchronize.Barrier") -> None:
    gate.wait()
    _, reused = ensure_folder(parent, "key", lambda folder: (folder / "x").touch())
    (parent / f"{multiprocessing.current_process().name}-{reused}").touch()


def test_it_is_thrown_away_even_when_there_is_nothing_left_to_make(tmp_path: Path) -> None:
    ensure_folder(tmp_path, "key", lambda new: None)
    (tmp_path / ".making-key-1").mkdir()
    ensure_folder(tmp_path, "key", lambda new: None)
    (tmp_path / ".making-key-2").mkdir()
    ensure_folders(tmp_path, ["key"], lambda new: None)
    assert not list(tmp_path.glob(".making-*"))


def test_two_processes_make_it_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    gate = context.Barrier(2)
    both = [context.Process(target=_make_slowly, args=(tmp_path, gate)) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join(60)
    assert len(list(tmp_path.glob("*-False"))) == 1
    assert len(list(tmp_path.glob("*-True"))) == 1
