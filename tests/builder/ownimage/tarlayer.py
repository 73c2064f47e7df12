"""Layers as tests write them down: a list of entries, and the folder that comes of several."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from leoflow_builder.ownimage.unpacking import RootTree


class Entry(NamedTuple):
    """``text`` is a file's content, or where a link leads."""

    name: str
    kind: str = "file"
    text: str = ""
    mode: int = 0o644


_TYPES = {
    "file": tarfile.REGTYPE,
    "folder": tarfile.DIRTYPE,
    "link": tarfile.SYMTYPE,
    "hard link": tarfile.LNKTYPE,
    "device": tarfile.CHRTYPE,
    "pipe": tarfile.FIFOTYPE,
}


def layer_tar(entries: Sequence[Entry]) -> bytes:
    """Return the plain tar of a layer, with its entries in the given order."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for entry in entries:
            head = tarfile.TarInfo(entry.name)
            head.type, head.mode = _TYPES[entry.kind], entry.mode
            content = entry.text.encode() if entry.kind == "file" else b""
            head.size = len(content)
            head.linkname = entry.text if entry.kind.endswith("link") else ""
            archive.addfile(head, io.BytesIO(content))
    return stream.getvalue()


def unpack(root: Path, *layers: Sequence[Entry]) -> dict[str, str]:
    """Lay layers into a new folder and return what is there."""
    root.mkdir(exist_ok=True)
    tree = RootTree(root.resolve())
    for entries in layers:
        with tarfile.open(fileobj=io.BytesIO(layer_tar(entries)), mode="r|") as archive:
            tree.lay(archive)
    return listing(root)


def listing(root: Path) -> dict[str, str]:
    """Return all below a folder: a file's content, "-> target" of a link, "/" of a folder."""
    return {path.relative_to(root).as_posix(): _shown(path) for path in sorted(root.rglob("*"))}


def _shown(path: Path) -> str:
    if path.is_symlink():
        return f"-> {path.readlink()}"
    return "/" if path.is_dir() else path.read_text()
