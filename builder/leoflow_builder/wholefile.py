"""Writes a file whole or not at all: no reader ever sees half of it, not even after kill -9.

Standard library only, and as little of it as it takes.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def write_whole(target: Path, content: bytes) -> None:
    """Write a file beside its place and rename it there; OSError leaves the one before."""
    unfinished = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        unfinished.write_bytes(content)
        unfinished.replace(target)
    except BaseException:
        # On a read-only disk even the removal of what is not there fails.
        with suppress(OSError):
            unfinished.unlink()
        raise
