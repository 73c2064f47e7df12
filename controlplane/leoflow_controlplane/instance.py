"""Which control-plane processes share a home, and which of them are alive. Knows no containers."""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO


@dataclass(frozen=True)
class Instance:
    """One control-plane process at work in ``home``.

    It lives as long as the lock on its file is held, which the kernel lets go of even after
    kill -9. ``home_id`` is the same for all processes of the home.
    """

    home: Path
    home_id: str
    id: str
    _lock: IO[str] = field(repr=False, compare=False)

    @property
    def folder(self) -> Path:
        """Where the instance keeps what others must know if it dies."""
        return self.home / "instances" / self.id

    def is_alive(self, instance_id: str) -> bool:
        """Say whether the process called ``instance_id`` still runs."""
        if instance_id == self.id:
            return True
        with contextlib.suppress(FileNotFoundError), _lock_file(self.home, instance_id).open() as f:
            return not _try_lock(f)
        return False

    def note_folder(self, folder: Path) -> None:
        """Note a folder outside of the home that is to go when the instance is dead."""
        with (self.folder / "folders").open("a") as notes:
            notes.write(f"{folder}\n")

    def sweep(self) -> list[str]:
        """Remove the files of dead instances; return their ids."""
        dead = []
        for path in sorted((self.home / "instances").glob("*.lock")):
            if not self.is_alive(path.stem):
                _remove_noted_folders(path.with_suffix("") / "folders")
                shutil.rmtree(path.with_suffix(""), ignore_errors=True)
                path.unlink(missing_ok=True)
                dead.append(path.stem)
        return dead

    def close(self) -> None:
        """Leave no trace."""
        _remove_noted_folders(self.folder / "folders")
        shutil.rmtree(self.folder, ignore_errors=True)
        _lock_file(self.home, self.id).unlink(missing_ok=True)
        self._lock.close()


def open_instance(home: Path) -> Instance:
    """Join ``home`` as a new instance; makes the folder if there is none."""
    (home / "instances").mkdir(parents=True, exist_ok=True)
    instance_id = secrets.token_hex(6)
    # Locked before it can be seen under its name, so that nobody takes it for a dead one's.
    pending = home / "instances" / f"{instance_id}.new"
    lock = pending.open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    (home / "instances" / instance_id).mkdir()
    pending.rename(_lock_file(home, instance_id))
    return Instance(home, _home_id(home), instance_id, lock)


def _home_id(home: Path) -> str:
    path = home / "id"
    fresh = home / f"id.{secrets.token_hex(4)}"
    if not path.exists():
        fresh.write_text(secrets.token_hex(6))
        with contextlib.suppress(FileExistsError):
            os.link(fresh, path)
        fresh.unlink()
    return path.read_text().strip()


def _lock_file(home: Path, instance_id: str) -> Path:
    return home / "instances" / f"{instance_id}.lock"


def _try_lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _remove_noted_folders(notes: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        for line in notes.read_text().splitlines():
            shutil.rmtree(line, ignore_errors=True)
