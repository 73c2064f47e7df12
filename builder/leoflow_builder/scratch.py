"""Folders for work in progress that do not outlive it, not even after kill -9.

Each is locked while its process lives; the next one of the same kind removes the others.
It knows nothing of what is in them.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# What names of folders begin with where others have folders too.
OWN = "leoflow-"


@contextmanager
def scratch_folder(prefix: str, parent: Path | None = None) -> Iterator[Path]:
    """Give a new folder in ``parent`` (else the system's), which is removed afterwards.

    Folders in the same place whose names begin with ``prefix`` are removed if their process is
    dead, so in the system's folder it has to begin with leoflow's name. The folder may be renamed
    away.
    """
    if parent is None and not prefix.startswith(OWN):
        raise ValueError(f"'{prefix}' may be anybody's: begin it with '{OWN}'")
    place = parent or Path(tempfile.gettempdir())
    remove_abandoned(prefix, place)
    folder, descriptor = _make_locked(prefix, place)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def remove_abandoned(prefix: str, place: Path) -> None:
    """Remove the scratch folders of dead processes; those of other users are theirs."""
    for folder in place.glob(f"{prefix}*"):
        with suppress(OSError), _locked(folder):
            shutil.rmtree(folder, ignore_errors=True)


def is_abandoned(folder: Path) -> bool:
    """Tell whether the process that made a scratch folder is dead."""
    with suppress(OSError), _locked(folder):
        return True
    return False


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = _open(folder)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def _make_locked(prefix: str, place: Path) -> tuple[Path, int]:
    while True:
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=place))
        # Until it is locked another process may take it for an abandoned one, and remove it.
        with suppress(FileNotFoundError):
            descriptor = _open(folder)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if folder.exists():
                return folder, descriptor
            os.close(descriptor)


def _open(folder: Path) -> int:
    return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
