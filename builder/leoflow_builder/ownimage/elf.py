"""What a program's file says of where it runs: its machine and its loader. It starts nothing.

https://refspecs.linuxfoundation.org/elf/gabi4+/contents.html
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import NamedTuple

_MAGIC_64_LITTLE = b"\x7fELF\x02\x01"
_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SEGMENT = struct.Struct("<IIQQQQQQ")
_INTERPRETER = 3
# As `uname -m` spells them.
_MACHINES = {62: "x86_64", 183: "aarch64", 243: "riscv64", 22: "s390x", 21: "ppc64le"}


class Program(NamedTuple):
    """``machine`` is as `uname -m` has it; ``loader`` a path, None where none is needed."""

    machine: str
    loader: str | None


def read_program(path: Path) -> Program | None:
    """Return what a file says of itself; None if it is no 64-bit program, such as a script."""
    with path.open("rb") as file:
        head = file.read(_HEADER.size)
        if len(head) < _HEADER.size or not head.startswith(_MAGIC_64_LITTLE):
            return None
        fields = _HEADER.unpack(head)
        machine, table, size, count = fields[2], fields[5], fields[9], fields[10]
        for index in range(count):
            file.seek(table + index * size)
            segment = file.read(_SEGMENT.size)
            if len(segment) < _SEGMENT.size:
                return None
            kind, _, offset, _, _, length, _, _ = _SEGMENT.unpack(segment)
            if kind == _INTERPRETER:
                file.seek(offset)
                loader = file.read(length).rstrip(b"\0").decode("utf-8", "surrogateescape")
                return Program(_name(machine), loader)
    return Program(_name(machine), None)


def _name(number: int) -> str:
    return _MACHINES.get(number, f"machine {number}")
