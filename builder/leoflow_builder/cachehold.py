"""Who uses what of the cache right now, told between processes by locks that die with them.

One file of locks for each folder of entries, one byte of it for each entry: a build holds a
shared lock on the bytes of all that it asked for, and prune takes nothing that is held.
It removes nothing itself.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

USERS = ".users"


@dataclass
class _Users:
    """The file of locks of one folder. POSIX drops every lock of a process as soon as it closes
    the file once, so it is opened once and stays open."""

    descriptor: int
    held: set[str] = field(default_factory=set)


_known: dict[tuple[int, int], _Users] = {}
_guard = threading.Lock()
# A fork inherits the open files and none of the locks.
os.register_at_fork(after_in_child=_known.clear)


def hold(entry: Path) -> None:
    """Keep an entry of the cache from being pruned while this process lives, and note its use.

    The entry need not be there yet. Waits for a prune that is removing it, which is a rename.
    Where the cache cannot be written, this does nothing.
    """
    with suppress(OSError):
        users = _users_of(entry.parent)
        if entry.name not in users.held:
            fcntl.lockf(users.descriptor, fcntl.LOCK_SH, 1, _offset(entry.name))
            users.held.add(entry.name)
    # The folder itself is in no layer, so its time may change.
    with suppress(OSError):
        os.utime(entry)


@contextmanager
def claimed(entry: Path) -> Iterator[bool]:
    """Give whether nobody uses the entry; if so, nobody can begin to until the block ends."""
    users = _users_of(entry.parent)
    with ordered(entry.parent / f"{entry.name}.lock") as unlocked:
        if not unlocked or entry.name in users.held or not _lock_byte(users, entry.name):
            yield False
            return
        try:
            yield True
        finally:
            fcntl.lockf(users.descriptor, fcntl.LOCK_UN, 1, _offset(entry.name))


@contextmanager
def ordered(lock: Path) -> Iterator[bool]:
    """Hold a lock file for the block if it is there and free; give False if another holds it."""
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        yield True
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        free = True
    except BlockingIOError:
        free = False
    try:
        yield free
    finally:
        os.close(descriptor)


def _lock_byte(users: _Users, name: str) -> bool:
    try:
        fcntl.lockf(users.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _offset(name))
    except (BlockingIOError, PermissionError):
        return False
    return True


def _users_of(folder: Path) -> _Users:
    path = folder / USERS
    with _guard:
        folder.mkdir(parents=True, exist_ok=True)
        status = folder.stat()
        key = (status.st_dev, status.st_ino)
        if key not in _known or not is_still(path, _known[key].descriptor):
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
            _known[key] = _Users(os.open(path, flags, 0o666))
        return _known[key]


def is_still(path: Path, descriptor: int) -> bool:
    """Tell whether a file that was opened is the one that others would open, and not removed."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _offset(name: str) -> int:
    """Return the byte of an entry; two that share one would only be kept together."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:7], "big")
