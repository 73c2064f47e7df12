"""Writes a folder as the tar of an image layer: the same files give the same bytes.

Names are sorted, times and owners fixed. It compresses nothing.
"""

import os
import tarfile
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import IO, Literal

# Every file's time: late enough for zip archives, whose calendar begins in 1980, in any time zone.
LAYER_TIME = 315_619_200
Kind = Literal["folders", "files"]
# What ends a tar: two empty records of 512 bytes (POSIX, pax).
END = bytes(2 * tarfile.BLOCKSIZE)


def write_tar(root: Path, target: IO[bytes], owners: Mapping[str, int]) -> None:
    """Write a tar of all that is below `root` to a stream.

    `owners` maps paths to the uid and gid of what lies there; everything else is root's.
    """
    with tarfile.open(fileobj=target, mode="w|", format=tarfile.PAX_FORMAT) as archive:
        for path in _sorted_below(root):
            _add(archive, path, path.relative_to(root).as_posix(), owners)


def write_members(root: Path, target: IO[bytes], kind: Kind, left_out: Collection[str]) -> None:
    """Write the part of a tar that holds the folders below `root`, or all else.

    Of these the names in `left_out` are not written. Parts may follow one another, if no name is in
    two of them (older engines refuse such a layer); `END` has to come last.
    """
    archive = tarfile.open(fileobj=target, mode="w", format=tarfile.PAX_FORMAT)  # noqa: SIM115
    # Never closed, since that would write the end.
    for path in _sorted_below(root):
        name = path.relative_to(root).as_posix()
        is_folder = path.is_dir() and not path.is_symlink()
        if is_folder == (kind == "folders") and name not in left_out:
            _add(archive, path, name, {})


def set_times(root: Path) -> None:
    """Give everything below a folder the time that it has in the layer."""
    for path in _sorted_below(root):
        os.utime(path, (LAYER_TIME, LAYER_TIME), follow_symlinks=False)


def _sorted_below(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        yield path
        if path.is_dir() and not path.is_symlink():
            yield from _sorted_below(path)


def _add(archive: tarfile.TarFile, path: Path, name: str, owners: Mapping[str, int]) -> None:
    entry = archive.gettarinfo(path, name)
    entry.mtime = LAYER_TIME
    entry.uid = entry.gid = owners.get(name, 0)
    entry.uname = entry.gname = ""
    entry.mode = 0o777 if entry.issym() else entry.mode & 0o1777
    if entry.isreg():
        with path.open("rb") as content:
            archive.addfile(entry, content)
    else:
        archive.addfile(entry)
