"""Picks the root file system of a base image out of unpacked packages, as its recipe says.

It only moves and writes files: it runs nothing and fetches nothing.
"""

import os
import shutil
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath

from leoflow_builder.debian import MERGED, Package, Unpacked, merged
from leoflow_builder.recipe import BaseImageError, Recipe


def assemble(unpacked: Unpacked, root: Path, recipe: Recipe) -> tuple[Package, ...]:
    """Make a root file system in a new folder; return the packages that it has something of."""
    root.mkdir()
    _write_directories(root, recipe)
    _write_certificates(unpacked.folder, root, recipe)
    used = _move_wanted(unpacked, root, recipe)
    used |= {unpacked.owners[path] for path in unpacked.owners if _is_certificate(path, recipe)}
    for name in sorted(used):
        _keep_copyright(unpacked.folder, root, name)
    _write_files(root, recipe)
    _write_links(root, recipe)
    _refuse_dangling_links(root)
    return tuple(package for package in unpacked.packages if package.name in used)


def _write_directories(root: Path, recipe: Recipe) -> None:
    for path, mode in recipe.directories.items():
        folder = root / path
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(int(mode, 8))


def _write_files(root: Path, recipe: Recipe) -> None:
    for path, content in recipe.files.items():
        file = _with_parent(root / path)
        file.write_text(content, encoding="utf-8")
        file.chmod(0o644)


def _write_links(root: Path, recipe: Recipe) -> None:
    for name in MERGED:
        if (root / "usr" / name).is_dir():
            (root / name).symlink_to(f"usr/{name}")
    for path, target in recipe.links.items():
        link = _with_parent(root / path)
        link.unlink(missing_ok=True)
        link.symlink_to(target)


def _move_wanted(unpacked: Unpacked, root: Path, recipe: Recipe) -> set[str]:
    """Move what the recipe wants; return the names of the packages it came from."""
    used = set()
    for file in _files_below(unpacked.folder):
        path = merged(file.relative_to(unpacked.folder).as_posix())
        package = unpacked.owners.get(path)
        if package is not None and recipe.wants(path, package):
            file.rename(_with_parent(root / path))
            used.add(package)
    return used


def _files_below(folder: Path) -> Iterator[Path]:
    for parent, directories, names in os.walk(folder):
        links = [name for name in directories if Path(parent, name).is_symlink()]
        yield from (Path(parent, name) for name in sorted([*names, *links]))


def _is_certificate(path: str, recipe: Recipe) -> bool:
    return fnmatchcase(path, recipe.certificates)


def _write_certificates(folder: Path, root: Path, recipe: Recipe) -> None:
    texts = [file.read_text(encoding="ascii") for file in sorted(folder.glob(recipe.certificates))]
    if not texts:
        raise BaseImageError(f"the packages hold no '{recipe.certificates}'. Mend the recipe")
    bundle = _with_parent(root / recipe.certificate_bundle)
    bundle.write_text("".join(text.rstrip("\n") + "\n" for text in texts), encoding="ascii")
    bundle.chmod(0o644)


def _keep_copyright(folder: Path, root: Path, package: str) -> None:
    """Keep a package's licence, which may lie in the folder of a sibling."""
    place = PurePosixPath("usr/share/doc", package)
    if (folder / place).is_symlink():
        target = (folder / place).readlink()
        link = _with_parent(root / place)
        if not link.is_symlink():
            link.symlink_to(target)
            _keep_copyright(folder, root, target.name)
        return
    copyright_file = folder / place / "copyright"
    if copyright_file.is_file() and not copyright_file.is_symlink():
        shutil.copyfile(copyright_file, _with_parent(root / place / "copyright"))


def _with_parent(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _refuse_dangling_links(root: Path) -> None:
    links = (file for file in _files_below(root) if file.is_symlink())
    dangling = sorted(f"'{link.relative_to(root)}'" for link in links if not _exists(root, link))
    if dangling:
        raise BaseImageError(f"these links lead nowhere: {', '.join(dangling)}. Mend the recipe")


def _exists(root: Path, link: Path) -> bool:
    for _ in range(8):
        if not link.is_symlink():
            return link.exists()
        target = link.readlink()
        link = root / str(target).lstrip("/") if target.is_absolute() else link.parent / target
    return False
