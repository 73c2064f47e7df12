"""One layer of an image: a tree of files in the cache, its tar, and what is known about it.

It must not decide what belongs into a layer.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from leoflow_builder.cache import ensure_folder, read_facts

if TYPE_CHECKING:
    from leoflow_builder.layerblob import Level, Packed

# The last two are those of the images of leoflow itself.
LayerName = Literal["base", "system", "agent", "deps", "dag", "leoflow", "agents"]
BLOB = "layer.tar.zst"
Fill = Callable[[Path], dict[str, Any]]


@dataclass(frozen=True)
class Layer:
    """A layer as a registry keeps it: ``blob`` is the file, ``digest`` and ``size_bytes`` are its
    own, ``diff_id`` is the digest of the plain tar in it."""

    name: LayerName
    blob: Path
    diff_id: str
    digest: str
    size_bytes: int
    unpacked_bytes: int
    reused: bool


@dataclass(frozen=True)
class LayerFolder:
    """A layer and the tree that it was made from; ``facts`` are its maker's."""

    layer: Layer
    tree: Path
    facts: Mapping[str, Any] = field(default_factory=dict)


def ensure_layer(
    name: LayerName, parent: Path, key: str, fill: Fill, level: Level = "often"
) -> LayerFolder:
    """Return the layer for a key. ``fill`` writes the tree of a missing one and returns facts.

    Same tree, same bytes: times, owners and modes of the files do not matter, but for the
    executable bit.
    """
    folder, reused = ensure_folder(parent, key, lambda new: _make(new, fill, level))
    return read_layer(name, folder, reused)


def read_layer(name: LayerName, folder: Path, reused: bool) -> LayerFolder:
    """Return the layer that a folder of the cache holds."""
    known = read_facts(folder / "layer.json")
    facts = known.pop("facts")
    return LayerFolder(Layer(name, folder / BLOB, **known, reused=reused), folder / "tree", facts)


def _make(folder: Path, fill: Fill, level: Level) -> None:
    from leoflow_builder.layerblob import pack_layer

    tree = folder / "tree"
    tree.mkdir()
    facts = fill(tree)
    normalise_modes(tree)
    write_layer(folder, pack_layer(tree, folder / BLOB, level=level), facts)


def write_layer(folder: Path, packed: Packed, facts: Mapping[str, Any]) -> None:
    """Note beside a blob and its tree what `read_layer` needs to know."""
    known = describe(packed, folder / "tree") | {"facts": facts}
    (folder / "layer.json").write_text(json.dumps(known), encoding="utf-8")


def describe(packed: Packed, tree: Path) -> dict[str, Any]:
    """Return what is kept beside a layer's blob, by the names of ``Layer``'s fields."""
    return {**asdict(packed), "unpacked_bytes": tree_bytes(tree)}


def normalise_modes(tree: Path) -> None:
    """Make every file readable for all, and executable for all if it is for its owner."""
    for folder, _, names in os.walk(tree):
        Path(folder).chmod(0o755)
        for path in (Path(folder, name) for name in names):
            mode = path.lstat().st_mode
            if stat.S_ISREG(mode):
                path.chmod(0o755 if mode & stat.S_IXUSR else 0o644)


def tree_bytes(tree: Path) -> int:
    """Return the sizes of all files below a folder, added up."""
    files = (path.lstat() for path in tree.rglob("*"))
    return sum(one.st_size for one in files if stat.S_ISREG(one.st_mode))
