"""Files that are written whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from leoflow_builder.wholefile import write_whole


def test_processes_of_one_number_do_not_disturb_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, write_bytes = tmp_path / "record.json", Path.write_bytes

    def slow(path: Path, content: bytes) -> int:
        written = write_bytes(path, content)
        if content == b"first":
            write_whole(target, b"second")
        return written

    monkeypatch.setattr(Path, "write_bytes", slow)
    write_whole(target, b"first")
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [
        ("record.json", b"first")
    ]


def test_a_failure_leaves_the_one_before_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, content: bytes) -> int:
        path.touch()
        raise OSError(28, "No space left on device")

    write_whole(tmp_path / "x", b"before")
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(tmp_path / "x", b"after")
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [("x", b"before")]
