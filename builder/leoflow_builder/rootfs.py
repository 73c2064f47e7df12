"""Picks the root file system of a base image out of .debs, as its recipe says.

It only writes files: it runs nothing of the packages and fetches nothing.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from leoflow_builder.debarchive import MERGED, extract
from leoflow_builder.layer import normalise_modes
from leoflow_builder.recipe import BaseImageError, Recipe, matches

DOCS = "usr/share/doc/"


def assemble(archives: Mapping[str, Path], root: Path, recipe: Recipe) -> None:
    """Make a root file system in a new folder out of .debs by their packages' names."""
    root.mkdir()
    for name, archive in sorted(archives.items()):
        extract(archive, root, lambda path, name=name: _wants(path, name, recipe))  # type: ignore[misc]
    _bundle_certificates(root, recipe)
    share_copyrights(root)
    _write_files(root, recipe)
    _write_links(root, recipe)
    set_modes(root, recipe)
    refuse_dangling_links(root)


def set_modes(root: Path, recipe: Recipe) -> None:
    """Give every file the mode that it has in the image, whatever the umask of its writer was."""
    for path in recipe.directories:
        (root / path).mkdir(parents=True, exist_ok=True)
    normalise_modes(root)
    for path, mode in recipe.directories.items():
        (root / path).chmod(int(mode, 8))


def drop_sources(root: Path, recipe: Recipe) -> None:
    """Replace sources by their bytecode where the recipe says so, as PEP 3147 provides for."""
    for source in sorted(root.rglob("*.py")):
        if recipe.wants_source(source.relative_to(root).as_posix()):
            continue
        tag = f"cpython-{recipe.python.replace('.', '')}"
        bytecode = source.parent / "__pycache__" / f"{source.stem}.{tag}.pyc"
        bytecode.rename(source.with_suffix(".pyc"))
        source.unlink()


def is_licence(path: str, package: str) -> bool:
    """Tell whether a path is a package's copyright file, or the link to where a sibling has it."""
    return path in (f"{DOCS}{package}/copyright", f"{DOCS}{package}")


def share_copyrights(root: Path) -> None:
    """Make links of copyright files that are the same as another one."""
    first: dict[bytes, Path] = {}
    for file in sorted((root / DOCS).glob("*/copyright")):
        if file.is_symlink() or file.parent.is_symlink():
            continue
        known = first.setdefault(file.read_bytes(), file)
        if known != file:
            file.unlink()
            file.symlink_to(os.path.relpath(known, file.parent))


def _wants(path: str, package: str, recipe: Recipe) -> bool:
    is_certificate = matches(path, (recipe.certificates,), recipe.triplet)
    return is_certificate or is_licence(path, package) or recipe.wants(path)


def _bundle_certificates(root: Path, recipe: Recipe) -> None:
    files = sorted(root.glob(recipe.certificates))
    texts = [file.read_text(encoding="ascii") for file in files]
    if not texts:
        raise BaseImageError(f"the packages hold no '{recipe.certificates}'. Mend the recipe")
    bundle = _with_parent(root / recipe.certificate_bundle)
    bundle.write_text("".join(text.rstrip("\n") + "\n" for text in texts), encoding="ascii")
    for folder in {file.parent for file in files}:
        shutil.rmtree(folder)


def _write_files(root: Path, recipe: Recipe) -> None:
    for path, content in recipe.files.items():
        _with_parent(root / path).write_text(content, encoding="utf-8")


def _write_links(root: Path, recipe: Recipe) -> None:
    for name in MERGED:
        if (root / "usr" / name).is_dir():
            (root / name).symlink_to(f"usr/{name}")
    write_links(root, recipe.links.items())


def write_links(root: Path, links: Iterable[tuple[str, str]]) -> None:
    """Write links (path, target) below a folder; what lies there already gives way."""
    for path, target in links:
        link = _with_parent(root / path)
        link.unlink(missing_ok=True)
        link.symlink_to(target)


def _with_parent(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def refuse_dangling_links(root: Path) -> None:
    """Refuse a root file system with links that lead nowhere inside it."""
    links = (file for file in _files_below(root) if file.is_symlink())
    dangling = sorted(f"'{link.relative_to(root)}'" for link in links if not _exists(root, link))
    if dangling:
        raise BaseImageError(f"these links lead nowhere: {', '.join(dangling)}. Mend the recipe")


def _files_below(folder: Path) -> Iterator[Path]:
    for parent, directories, names in os.walk(folder):
        links = [name for name in directories if Path(parent, name).is_symlink()]
        yield from (Path(parent, name) for name in sorted([*names, *links]))


def _exists(root: Path, link: Path) -> bool:
    for _ in range(8):
        if not link.is_symlink():
            return link.exists()
        target = link.readlink()
        link = root / str(target).lstrip("/") if target.is_absolute() else link.parent / target
    return False
