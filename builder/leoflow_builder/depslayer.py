"""The layer of the locked dependencies, shared by all DAGs with the same lock.

Nothing of the project but its lock decides what is in it. It is put together from wheels that are
ready, so that a changed dependency costs one wheel's work.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from leoflow_builder.cache import ensure_folder, make_key
from leoflow_builder.failure import BuildError
from leoflow_builder.installation import Installation
from leoflow_builder.interpreter import Interpreter
from leoflow_builder.layer import BLOB, LayerFolder, normalise_modes, read_layer, write_layer
from leoflow_builder.lock import LockedPackage
from leoflow_builder.scratch import scratch_folder
from leoflow_builder.target import Target

# What only a missing layer needs takes long to load.
if TYPE_CHECKING:
    from leoflow_builder.wheelstore import Maker, StoredWheel
    from leoflow_builder.wheeltool import WheelTool

__all__ = ["Installation", "deps_folder", "deps_key", "ensure_deps"]
_NO_LINK = (errno.EXDEV, errno.EMLINK, errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS)
# Raise it when the same wheels are to give another layer.
LAYOUT = "3"


def deps_key(packages: Sequence[LockedPackage], target: Target, place: Installation) -> str:
    """Return the key of a deps layer."""
    described = [f"{one.name} {one.version} {one.sha256}" for one in sorted(packages)]
    about = [LAYOUT, target.python_version, target.platform, place.python, place.site_packages]
    return make_key([*about, *described])


def deps_folder(
    packages: Sequence[LockedPackage], target: Target, place: Installation, home: Path
) -> Path:
    """Return where a deps layer is kept; it exists if the layer was made before."""
    return home.absolute() / "cache" / "deps" / deps_key(packages, target, place)


def ensure_deps(
    packages: Sequence[LockedPackage],
    target: Target,
    place: Installation,
    interpreter: Interpreter,
    tool: Callable[[], WheelTool],
    home: Path,
) -> LayerFolder | None:
    """Return the deps layer, made if it is missing; None if nothing is locked.

    ``tool`` makes the program that unpacks, if there is something to unpack. Unresolvable if a
    wheel is not to be had, or is not the locked one.
    """
    if not packages:
        return None
    folder = deps_folder(packages, target, place, home)

    def make(new: Path) -> None:
        from leoflow_builder.wheelstore import Maker

        _join(new, packages, Maker(target, place, interpreter, tool), home)

    try:
        _, reused = ensure_folder(folder.parent, folder.name, make)
    except OSError as error:
        raise _spoken(error) from None
    return read_layer("deps", folder, reused)


def _join(folder: Path, packages: Sequence[LockedPackage], maker: Maker, home: Path) -> None:
    from leoflow_builder.layerblob import join_frames, pack_frame
    from leoflow_builder.wheelstore import ensure_wheels

    wheels = ensure_wheels(packages, maker, home)
    tree = folder / "tree"
    maker.place.site_in(tree).mkdir(parents=True)
    normalise_modes(tree)
    for wheel in wheels:
        _link_tree(wheel.tree, tree)
    with scratch_folder("leoflow-frames-") as scratch:
        pack_frame(tree, scratch / "folders", "folders")
        frames = [scratch / "folders", *_frames(wheels, scratch)]
        packed = join_frames(frames, folder / BLOB)
    facts = {
        "has_pth": any(wheel.has_pth for wheel in wheels),
        "not_compiled": sorted({one for wheel in wheels for one in wheel.not_compiled}),
    }
    write_layer(folder, packed, facts)


def _frames(wheels: Sequence[StoredWheel], scratch: Path) -> Iterator[Path]:
    """Give the wheels' frames, one of them packed anew without what a later wheel brings too."""
    from leoflow_builder.layerblob import pack_frame

    names = [_files_below(wheel.tree) for wheel in wheels]
    for index, wheel in enumerate(wheels):
        later = set().union(*names[index + 1 :])
        if names[index].isdisjoint(later):
            yield wheel.frame
        else:
            pack_frame(wheel.tree, scratch / str(index), "files", names[index] & later)
            yield scratch / str(index)


def _files_below(tree: Path) -> set[str]:
    found = set()
    for folder, folders, names in os.walk(tree):
        links = [name for name in folders if os.path.islink(f"{folder}/{name}")]  # noqa: PTH114
        found |= {os.path.relpath(f"{folder}/{name}", tree) for name in [*names, *links]}
    return found


def _link_tree(source: Path, target: Path) -> None:
    """Link all files of a wheel's tree; of two wheels' files of one name the later one stays."""
    for entry in os.scandir(source):
        place = target / entry.name
        if entry.is_dir(follow_symlinks=False):
            _make_folder(place)
            _link_tree(Path(entry.path), place)
        else:
            _link(Path(entry.path), place)


def _make_folder(place: Path) -> None:
    if place.is_symlink() or place.is_file():
        place.unlink()
    if not place.exists():
        place.mkdir()
        place.chmod(0o755)


def _link(source: Path, place: Path) -> None:
    try:
        os.link(source, place, follow_symlinks=False)
    except FileExistsError:
        _remove(place)
        os.link(source, place, follow_symlinks=False)
    except OSError as error:
        # The cache may lie on two disks, or on one without links, and a file has no end of names.
        if error.errno not in _NO_LINK:
            raise
        shutil.copy2(source, place, follow_symlinks=False)


def _remove(place: Path) -> None:
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place)
    else:
        place.unlink()


def _spoken(error: OSError) -> Exception:
    """Return a full disk in plain words; anything else as it is."""
    if error.errno != errno.ENOSPC:
        return error
    from leoflow_builder.resolvefailure import disk_full

    return BuildError(disk_full().message)
