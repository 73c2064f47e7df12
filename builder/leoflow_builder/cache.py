"""Folders under LEOFLOW_HOME that are made once for a key, and are whole or not there.

It knows nothing of what is in them.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from leoflow_builder.cachehold import hold, is_still
from leoflow_builder.failure import BuildError
from leoflow_builder.scratch import remove_abandoned, scratch_folder

MAKING = ".making-"


def read_facts(file: Path) -> dict[str, Any]:
    """Return the JSON object that an entry keeps; BuildError if it is none any more."""
    try:
        facts: dict[str, Any] = json.loads(file.read_bytes())
    except ValueError:
        raise BuildError(
            f"'{file}' is damaged, as after a power cut. Run `leoflow cache prune --all`, and "
            "build again"
        ) from None
    return facts


def make_key(parts: Iterable[str]) -> str:
    """Return a key that differs if any part differs."""
    digest = hashlib.sha256()
    for part in parts:
        encoded = part.encode()
        digest.update(f"{len(encoded)}:".encode() + encoded)
    return digest.hexdigest()[:24]


def is_kept(entry: Path) -> bool:
    """Tell whether something is there; if so, it is not pruned while this process lives."""
    hold(entry)
    return entry.exists()


def ensure_folder(parent: Path, key: str, make: Callable[[Path], None]) -> tuple[Path, bool]:
    """Return the folder for a key and whether it was there; else let ``make`` fill a new one.

    Safe against a second process and against being killed at any moment; what a killed one left is
    removed, whether there is something to make or not. The folder is not pruned while this process
    lives.
    """
    folder = parent / key
    if is_kept(folder):
        remove_abandoned(MAKING, parent)
        return folder, True
    parent.mkdir(parents=True, exist_ok=True)
    with _locked(parent / f"{key}.lock"):
        if folder.exists():
            return folder, True
        _make_whole(folder, make)
    return folder, False


def ensure_folders(
    parent: Path, keys: Collection[str], make: Callable[[Mapping[str, Path]], None]
) -> set[str]:
    """Let ``make`` fill a new folder for each key that has none, all at once; return those keys.

    As safe as `ensure_folder`; what another process makes meanwhile is waited for.
    """
    for key in keys:
        hold(parent / key)
    if all((parent / key).exists() for key in keys):
        remove_abandoned(MAKING, parent)
        return set()
    parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as locks:
        # Always in the same order, so that no two processes wait for each other.
        for key in sorted(key for key in keys if not (parent / key).exists()):
            locks.enter_context(_locked(parent / f"{key}.lock"))
        missing = sorted(key for key in keys if not (parent / key).exists())
        if missing:
            _make_all_whole(parent, missing, make)
    return set(missing)


def _make_all_whole(
    parent: Path, keys: Sequence[str], make: Callable[[Mapping[str, Path]], None]
) -> None:
    with scratch_folder(MAKING, parent) as unfinished:
        folders = {key: unfinished / key for key in keys}
        for folder in folders.values():
            folder.mkdir()
        make(folders)
        for key, folder in folders.items():
            folder.chmod(0o755)
            folder.rename(parent / key)


def _make_whole(folder: Path, make: Callable[[Path], None]) -> None:
    # A name of its own each time: what a killed process started may still write into the old one.
    with scratch_folder(MAKING, folder.parent) as unfinished:
        make(unfinished)
        unfinished.chmod(0o755)
        unfinished.rename(folder)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    while True:
        with path.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if is_still(path, file.fileno()):
                yield
                return
