"""The heads of programs."""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import pytest
from leoflow_builder.ownimage.elf import Program, read_program


def program(loader: str | None, machine: int = 62) -> bytes:
    """Return as much of a program as says where it runs."""
    text = b"" if loader is None else loader.encode() + b"\0"
    segments = struct.pack("<IIQQQQQQ", 1, 0, 0, 0, 0, 0, 0, 0)
    if loader is not None:
        segments += struct.pack("<IIQQQQQQ", 3, 4, 64 + 56 * 2, 0, 0, len(text), 0, 1)
    count = len(segments) // 56
    ident = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    return (
        struct.pack("<16sHHIQQQIHHHHHH", ident, 2, machine, 1, 0, 64, 0, 0, 64, 56, count, 0, 0, 0)
        + segments
        + text
    )


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (program("/lib64/ld-linux-x86-64.so.2"), Program("x86_64", "/lib64/ld-linux-x86-64.so.2")),
        (
            program("/lib/ld-musl-aarch64.so.1", 183),
            Program("aarch64", "/lib/ld-musl-aarch64.so.1"),
        ),
        (program(None), Program("x86_64", None)),
        (program(None, 4711), Program("machine 4711", None)),
        (b"#!/bin/sh\nexec python3\n" * 9, None),
        (b"\x7fELF\x01\x01" + bytes(60), None),
        (b"\x7fELF", None),
        (program("/lib64/ld.so")[:70], None),
        (b"", None),
    ],
)
def test_machine_and_loader(content: bytes, expected: Program | None, tmp_path: Path) -> None:
    (tmp_path / "p").write_bytes(content)
    assert read_program(tmp_path / "p") == expected


def test_the_python_of_this_test_is_a_program() -> None:
    assert read_program(Path(sys.executable).resolve()) is not None
