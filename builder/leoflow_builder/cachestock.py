"""What is in LEOFLOW_HOME/cache, and the removal of what nobody needs any more.

It knows kinds by the names of their folders and nothing of what entries hold. What a living
process uses stays: see ``cachehold``.
"""

from __future__ import annotations

import os
import re
import stat
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from leoflow_builder.cache import MAKING
from leoflow_builder.cachehold import USERS, claimed, ordered
from leoflow_builder.scratch import is_abandoned, remove_abandoned, scratch_folder

DESCRIPTIONS = {
    "debs": "packages of bases",
    "bases": "base images",
    "system": "Debian packages of DAGs",
    "images-of-others": "own images",
    "roots-of-others": "the same, unpacked",
    "images-of-engines": "names in engines",
    "dockerfiles": "built Dockerfiles",
    "agents": "layers of the agent",
    "wheels": "unpacked wheels",
    "deps": "layers of wheels",
    "dags": "layers of projects",
    "blobs": "compressed layers",
    "images": "records of images",
    "builds": "work in progress",
    "engines": "records of engines",
    "registries": "records of registries",
    "unchanged": "records of projects",
    "readers": "readers of DAGs",
    "checked": "valid settings",
    "locks": "results of locking",
    "apt": "lists of the mirror",
    "pex": "downloads of pex",
    "uv": "downloads of uv",
}
# Caches of other tools, whose insides are theirs: an entry as a whole.
WHOLE = ("pex", "uv")
PRUNED = ".pruned-"
# Held by makers that take turns, whatever the key.
KIND_LOCK = ".lock"
# Folders that only a living process needs.
SCRATCH = (
    *(MAKING, PRUNED, ".apt-", ".fetching-"),
    *("context-", "dockerfile-", "verifying-", ".building-"),
)
_SECONDS = {"m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


class File(NamedTuple):
    """A file or folder on the disk. ``links`` are all its names, in the cache and elsewhere."""

    device: int
    inode: int
    links: int
    size_bytes: int


@dataclass(frozen=True)
class Entry:
    """One thing that is kept or removed as a whole. ``last_used`` is in seconds since the epoch.

    ``files`` names a file once for each of its names.
    """

    kind: str
    path: Path
    last_used: float
    files: tuple[File, ...]


@dataclass(frozen=True)
class Shelf:
    """All entries of a kind. ``size_bytes`` leaves out what an earlier shelf counted already."""

    kind: str
    entries: tuple[Entry, ...]
    size_bytes: int

    @property
    def description(self) -> str:
        """Say what the kind is; nothing if leoflow does not know it."""
        return DESCRIPTIONS.get(self.kind, "")

    @property
    def last_used(self) -> float | None:
        """When the latest of the entries was used."""
        return max((entry.last_used for entry in self.entries), default=None)


@dataclass(frozen=True)
class Pruned:
    """What prune removed, or would remove. ``in_use`` would have gone if nobody used it.

    ``leftovers`` are folders and locks of builds that ended before they were done.
    """

    removed: tuple[Entry, ...]
    in_use: tuple[Entry, ...]
    leftovers: tuple[Path, ...]
    freed_bytes: int


@dataclass(frozen=True)
class Choice:
    """What to prune: entries last used before ``unused_since``, of ``kinds`` or, if None, all."""

    unused_since: float
    kinds: Collection[str] | None = None
    dry_run: bool = False


def parse_age_seconds(text: str) -> float:
    """Return the seconds of "30d", "12h", "90m" or "2w"; ValueError says how to write it."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([mhdw])", text.strip())
    if match is None:
        raise ValueError(f"'{text}' is no age: write a number and m, h, d or w, such as 30d or 12h")
    return float(match[1]) * _SECONDS[match[2]]


def take_stock(cache: Path) -> list[Shelf]:
    """Return what is in the cache, known kinds first; a file with two names counts once."""
    counted: set[tuple[int, int]] = set()
    shelves = []
    for kind in kinds_in(cache):
        entries = tuple(entries_of(cache, kind))
        new = {
            (one.device, one.inode): one.size_bytes
            for entry in entries
            for one in entry.files
            if (one.device, one.inode) not in counted
        }
        counted |= new.keys()
        shelves.append(Shelf(kind, entries, sum(new.values())))
    return shelves


def kinds_in(cache: Path) -> list[str]:
    """Return the names of the folders in the cache, in the order in which they are shown."""
    order = list(DESCRIPTIONS)
    found = [one.name for one in _children(cache) if not one.name.startswith(".")]
    known = [kind for kind in order if kind in found]
    return known + sorted(kind for kind in found if kind not in order)


def entries_of(cache: Path, kind: str) -> Iterator[Entry]:
    """Yield what is kept of a kind, sorted by name."""
    folder = cache / kind
    whole = kind in WHOLE or not folder.is_dir()
    for path in [folder] if whole else _children(folder):
        if whole or not (_is_scratch(path) or _is_lock(path) or path.name == USERS):
            # It may be gone meanwhile.
            with suppress(FileNotFoundError):
                yield Entry(kind, path, last_used(path, whole), tuple(_files_below(path)))


def disk_bytes(entries: Iterable[Entry]) -> int:
    """Return what entries take on the disk, each file once. Pure."""
    files = {(one.device, one.inode): one.size_bytes for entry in entries for one in entry.files}
    return sum(files.values())


def freed_bytes(removed: Iterable[Entry]) -> int:
    """Return what removing entries frees: files with names elsewhere stay on the disk. Pure."""
    names = Counter(file for entry in removed for file in entry.files)
    return sum(file.size_bytes for file, count in names.items() if count >= file.links)


def last_used(path: Path, whole: bool) -> float:
    """Return when an entry was used last, in seconds since the epoch.

    That is the time of the folder, which builds set, or the last reading of a file directly in
    it, which the file system notes once a day at least; of a ``whole`` entry any file counts.
    """
    files = path.rglob("*") if whole else _children(path)
    times = [path.lstat().st_mtime]
    for status in _statuses([path, *files]):
        if stat.S_ISREG(status.st_mode):
            times += [status.st_mtime, status.st_atime]
    return max(times)


def prune(cache: Path, choice: Choice) -> Pruned:
    """Remove what was not used since then, and what ended builds left; see `Choice`.

    Safe while builds run: what they have asked for stays, the rest they make anew.
    """
    removed: list[Entry] = []
    in_use: list[Entry] = []
    leftovers: list[Path] = []
    for kind in kinds_in(cache):
        if choice.kinds is None or kind in choice.kinds:
            found = _prune_kind(cache, kind, choice)
            removed += found.removed
            in_use += found.in_use
            leftovers += found.leftovers
    if choice.kinds is None and not choice.dry_run:
        remove_abandoned(PRUNED, cache)
    return Pruned(tuple(removed), tuple(in_use), tuple(leftovers), freed_bytes(removed))


def _prune_kind(cache: Path, kind: str, choice: Choice) -> Pruned:
    # Bases are made under one lock for all, and their scratch folders have none of their own: one
    # that was there before the lock was free is nobody's.
    scratch = [path for path in _children(cache / kind) if _is_scratch(path)]
    old = [one for one in entries_of(cache, kind) if one.last_used < choice.unused_since]
    with ExitStack() as bin_:
        if not bin_.enter_context(ordered(cache / kind / KIND_LOCK)):
            return Pruned((), tuple(old), (), 0)
        gone = {entry.path: _remove(entry, choice, bin_) for entry in old}
        leftovers = _leftovers(cache / kind, scratch, choice.dry_run)
    removed = tuple(entry for entry in old if gone[entry.path])
    in_use = tuple(entry for entry in old if not gone[entry.path])
    return Pruned(removed, in_use, tuple(leftovers), freed_bytes(removed))


def _remove(entry: Entry, choice: Choice, bin_: ExitStack) -> bool:
    """Move an entry out of everybody's sight at once; it is deleted when ``bin_`` closes."""
    with claimed(entry.path) as free:
        # A build may have come and gone since the entry was looked at.
        whole = entry.kind in WHOLE
        if not free or last_used(entry.path, whole) >= choice.unused_since:
            return False
        if not choice.dry_run:
            place = bin_.enter_context(scratch_folder(PRUNED, entry.path.parent))
            entry.path.rename(place / entry.path.name)
            _lock_of(entry.path).unlink(missing_ok=True)
    return True


def _leftovers(folder: Path, scratch: list[Path], dry_run: bool) -> list[Path]:
    """Remove the scratch folders of dead processes and locks without an entry; return which."""
    locks = [path for path in _children(folder) if _is_lock(path) and _is_unneeded(path, dry_run)]
    if dry_run:
        return [path for path in scratch if is_abandoned(path)] + locks
    for path in scratch:
        remove_abandoned(path.name, folder)
    return [path for path in scratch if not path.exists()] + locks


def _is_unneeded(lock: Path, dry_run: bool) -> bool:
    if lock.name == KIND_LOCK:
        return False
    entry = lock.with_name(lock.name.removesuffix(".lock"))
    if entry.exists():
        return False
    with claimed(entry) as free:
        # Those who wait for a lock look, once they have it, whether it is still the one.
        if free and not entry.exists() and not dry_run:
            lock.unlink(missing_ok=True)
        return free


def _lock_of(entry: Path) -> Path:
    return entry.with_name(f"{entry.name}.lock")


def _is_scratch(path: Path) -> bool:
    return path.name.startswith(SCRATCH) and path.is_dir()


def _is_lock(path: Path) -> bool:
    """Tell a lock from something kept whose name ends alike: locks are empty."""
    with suppress(OSError):
        return path.name.endswith(".lock") and path.is_file() and path.stat().st_size == 0
    return False


def _children(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() and not folder.is_symlink() else []


def _files_below(path: Path) -> Iterator[File]:
    for status in _statuses([path, *(path.rglob("*") if path.is_dir() else ())]):
        # A folder counts its subfolders as links, and has one name.
        links = 1 if stat.S_ISDIR(status.st_mode) else status.st_nlink
        yield File(status.st_dev, status.st_ino, links, status.st_blocks * 512)


def _statuses(paths: Iterable[Path]) -> Iterator[os.stat_result]:
    for path in paths:
        with suppress(FileNotFoundError):
            yield path.lstat()
