"""Debian archives made by a test, and a mirror that has them."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from leoflow_builder.aptindex import UnknownPackage
from leoflow_builder.debarchive import DebCache
from leoflow_builder.debpackage import DebPackage


def make_deb(
    folder: Path, name: str, files: Mapping[str, str], version: str = "1", postinst: str = ""
) -> tuple[DebPackage, Path]:
    """Make a .deb; a file's content that begins with -> is a link's target."""
    tree = folder / f"{name}-{version}"
    (tree / "DEBIAN").mkdir(parents=True)
    control = f"Package: {name}\nVersion: {version}\nArchitecture: all\n"
    control += "Maintainer: nobody <nobody@example.org>\nDescription: for a test\n"
    (tree / "DEBIAN" / "control").write_text(control)
    if postinst:
        (tree / "DEBIAN" / "postinst").write_text(postinst)
        (tree / "DEBIAN" / "postinst").chmod(0o755)
    for path, content in files.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        if content.startswith("->"):
            (tree / path).symlink_to(content[2:])
        else:
            (tree / path).write_text(content)
    for one in [tree, *tree.rglob("*")]:
        if not one.is_symlink() and (one.is_dir() or "/bin/" in str(one)):
            one.chmod(0o755)
    archive = folder / f"{name}_{version}.deb"
    order = ["dpkg-deb", "--root-owner-group", "-Zgzip", "--build", str(tree), str(archive)]
    subprocess.run(order, check=True, capture_output=True)
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    return DebPackage(name, version, "all", digest), archive


class FakeIndex:
    """A mirror that has some .debs, of which each depends on what `needs` says."""

    suite = "bookworm"

    def __init__(
        self,
        debs: Sequence[tuple[DebPackage, Path]],
        needs: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self._debs = dict(debs)
        self._needs = needs or {}
        self.asked: list[str] = []

    def closure(self, names: Sequence[str]) -> tuple[DebPackage, ...]:
        known = {one.name: one for one in sorted(self._debs)}
        found: set[str] = set()
        queue = list(names)
        while queue:
            name = queue.pop()
            if name not in known:
                raise UnknownPackage(name, self.suite, "")
            if name not in found:
                found.add(name)
                queue += self._needs.get(name, ())
        return tuple(sorted(known[name] for name in found))

    def fetch(self, packages: Sequence[DebPackage], cache: DebCache) -> None:
        cache.folder.mkdir(parents=True, exist_ok=True)
        for package in packages:
            self.asked.append(package.name)
            if package in self._debs:
                copy = cache.folder / ".copy"
                shutil.copyfile(self._debs[package], copy)
                cache.take(copy, package)
