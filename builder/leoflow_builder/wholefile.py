"""Writes a file whole or not at all: no reader ever sees half of it, not even after kill -9.

Standard library only, and as little of it as it takes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


def write_whole(target: Path, content: bytes) -> None:
    """Write a file beside its place and rename it there; OSError leaves the one before."""
    with beside(target) as unfinished:
        unfinished.write_bytes(content)


@contextmanager
def beside(target: Path) -> Iterator[Path]:
    """Give a path to write to; it is renamed to ``target``, or removed if the block fails."""
    # Containers that share a disk number their processes alike.
    number = f"{os.getpid()}-{os.urandom(4).hex()}"
    unfinished = target.with_name(f".{target.name}.{number}")
    try:
        yield unfinished
        unfinished.replace(target)
    except BaseException:
        # On a read-only disk even the removal of what is not there fails.
        with suppress(OSError):
            unfinished.unlink()
        raise
