"""Unpacks the layers of an image into a folder, as the programs in it are to be found there.

Whatever a layer says, nothing outside of the folder is written. Owners, devices and times are
left out: it is no copy to be run as root.
https://github.com/opencontainers/image-spec/blob/v1.1.0/layer.md
"""

from __future__ import annotations

import os
import shutil
import stat
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from leoflow_builder.failure import BuildError
from leoflow_builder.ownimage.insidepath import harmless_link, inside, names_of

_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
# Of the file system that the format comes from; they mean nothing to others.
_MARKS = ".wh..wh."
_PIECE_BYTES = 1 << 20


class UnpackError(BuildError):
    """A layer cannot be unpacked; the text says why."""


class RootTree:
    """A folder that layers are laid into, from the bottom up."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.unpacked_bytes = 0

    def lay(self, archive: tarfile.TarFile) -> None:
        """Lay one layer over what is there; UnpackError if it is none."""
        laid: set[str] = set()
        folders: dict[tuple[str, ...], Path] = {}
        for entry in archive:
            # ".." leads no higher than the root, as for a process in there.
            *above, name = names_of(os.path.normpath(f"/{entry.name}")) or [""]
            if not name:
                continue
            known = folders.get(tuple(above))
            with _explained(entry.name):
                folder = known or inside(self._root, "/".join(above))
                if name.startswith(_WHITEOUT):
                    folders.clear()
                    _white_out(folder, name, laid)
                    continue
                if known is None:
                    # Not every tool writes an entry for each folder.
                    folder.mkdir(parents=True, exist_ok=True)
            path = folders.setdefault(tuple(above), folder) / name
            if not entry.isreg() or path.is_symlink() or path.is_dir():
                folders.clear()  # from here on the same names may lead elsewhere
            self._remember(path, laid)
            self._put(archive, entry, path)

    def _remember(self, path: Path, laid: set[str]) -> None:
        while path != self._root and str(path) not in laid:
            laid.add(str(path))
            path = path.parent

    def _put(self, archive: tarfile.TarFile, entry: tarfile.TarInfo, path: Path) -> None:
        with _explained(entry.name):
            if not (entry.isdir() and _is_folder(path)):
                self._replace(entry, path)
        if entry.isreg():
            self._write(archive, entry, path)

    def _replace(self, entry: tarfile.TarInfo, path: Path) -> None:
        source = inside(self._root, entry.linkname, follow_last=False) if entry.islnk() else None
        if source == path:
            return
        _remove(path)
        if entry.isdir():
            path.mkdir()
        elif entry.issym():
            depth = len(path.relative_to(self._root).parts) - 1
            path.symlink_to(harmless_link(entry.linkname, depth))
        elif source is not None:
            os.link(source, path, follow_symlinks=False)

    def _write(self, archive: tarfile.TarFile, entry: tarfile.TarInfo, path: Path) -> None:
        content = archive.extractfile(entry)
        assert content is not None, "it is a file"
        mode = 0o755 if entry.mode & stat.S_IXUSR else 0o644
        with _explained(entry.name):
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
        with os.fdopen(descriptor, "wb") as file:
            while piece := content.read(_PIECE_BYTES):
                with _explained(entry.name):
                    file.write(piece)
        self.unpacked_bytes += entry.size


def _white_out(folder: Path, name: str, laid: set[str]) -> None:
    if name == _OPAQUE:
        _clear(folder, laid)
    elif not name.startswith(_MARKS):
        hidden = name.removeprefix(_WHITEOUT)
        if hidden not in ("", ".", ".."):
            _hide(folder / hidden, laid)


def _hide(path: Path, laid: set[str]) -> None:
    """Remove what the layers below have brought; what this one has, stays."""
    if str(path) not in laid:
        _remove(path)
    else:
        _clear(path, laid)


def _clear(folder: Path, laid: set[str]) -> None:
    if _is_folder(folder):
        for child in list(folder.iterdir()):
            _hide(child, laid)


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _remove(path: Path) -> None:
    if _is_folder(path):
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def _explained(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UnpackError(
            f"the image's '{name}' cannot be unpacked: {error.strerror or error}. Free some space, "
            "or set LEOFLOW_HOME to another disk; if there is enough, build the image again"
        ) from None
