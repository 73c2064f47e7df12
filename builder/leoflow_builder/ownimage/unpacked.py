"""Kept images unpacked in leoflow's cache, each once, so that the Python in them can be run."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from leoflow_builder.cache import ensure_folder, read_facts
from leoflow_builder.inspection.layerfiles import open_layer
from leoflow_builder.inspection.layout import LayoutFolder
from leoflow_builder.ownimage.insidepath import inside
from leoflow_builder.ownimage.keeping import OWN_FOLDER, KeptImage
from leoflow_builder.ownimage.unpacking import RootTree

# Raise it when the same image is to be unpacked otherwise.
_FORM = "1"


@dataclass(frozen=True)
class UnpackedImage:
    """The root file system of an image. ``root`` is a real path, so free of links above it."""

    root: Path
    unpacked_bytes: int

    @property
    def has_leoflow(self) -> bool:
        """Whether leoflow has built it."""
        return inside(self.root, OWN_FOLDER).is_dir()

    def read(self, path: str) -> bytes | None:
        """Return the content of a file of the image, or None if there is none."""
        file = inside(self.root, path)
        return file.read_bytes() if file.is_file() else None


def ensure_unpacked(kept: KeptImage, home: Path) -> UnpackedImage:
    """Return the root file system of a kept image, unpacked if it is not.

    BrokenImage if a layer is not what its digests say, UnpackError if the disk does not take it.
    """

    def fill(new: Path) -> None:
        root = new / "rootfs"
        root.mkdir()
        tree, source = RootTree(root.resolve()), LayoutFolder(kept.folder)
        for pointer, diff_id in zip(kept.pointers, kept.image.diff_ids, strict=True):
            with open_layer(source, pointer, diff_id) as archive:
                tree.lay(archive)
        facts = {"unpacked_bytes": tree.unpacked_bytes}
        (new / "facts.json").write_text(json.dumps(facts), encoding="utf-8")

    place = home.absolute() / "cache" / "roots-of-others"
    folder, _ = ensure_folder(place, f"{kept.folder.name}-{_FORM}", fill)
    facts = read_facts(folder / "facts.json")
    return UnpackedImage((folder / "rootfs").resolve(), facts["unpacked_bytes"])
