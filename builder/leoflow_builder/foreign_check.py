"""Checks a base image of another architecture without running anything of it.

What only running shows, such as whether every extension module loads, it cannot tell.
"""

from __future__ import annotations

import re
from pathlib import Path

from leoflow_builder.recipe import BaseImageError

# e_machine of the ELF header: https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html
ELF_MACHINES = {"amd64": 62, "arm64": 183}
ELF_MACHINE_AT = 18
FEWEST_PROGRAMS = 50


def check(root: Path, architecture: str) -> None:
    """Refuse a root file system with too few programs and libraries, or with another machine's."""
    machines = {file: elf_machine(file) for file in root.rglob("*") if _is_file(file)}
    programs = {file: machine for file, machine in machines.items() if machine is not None}
    strangers = [file for file, one in programs.items() if one != ELF_MACHINES[architecture]]
    if strangers:
        named = strangers[0].relative_to(root)
        raise BaseImageError(f"the packages for {architecture} hold '{named}' of another machine")
    if len(programs) < FEWEST_PROGRAMS:
        raise BaseImageError(
            f"the base image for {architecture} has only {len(programs)} programs and libraries. "
            "Mend the recipe"
        )


def elf_machine(file: Path) -> int | None:
    """Return the machine that a program or library is for, or None if the file is neither."""
    with file.open("rb") as content:
        header = content.read(ELF_MACHINE_AT + 2)
    if header[:4] != b"\x7fELF" or len(header) < ELF_MACHINE_AT + 2:
        return None
    return int.from_bytes(header[ELF_MACHINE_AT:], "little")


def magic_number(library: Path) -> int:
    """Return the number of a Python's bytecode, out of its own import system's source."""
    source = library / "importlib" / "_bootstrap_external.py"
    match = re.search(r"^MAGIC_NUMBER = \((\d+)\)", source.read_text(encoding="utf-8"), re.M)
    if match is None:
        raise BaseImageError(f"'{source}' tells no number of its bytecode. Mend leoflow's builder")
    return int(match[1])


def _is_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()
