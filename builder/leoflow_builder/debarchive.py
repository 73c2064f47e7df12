"""Debian archives (.deb): the cache that keeps them by their SHA-256, and the unpacking of files.

It neither resolves nor fetches, runs no maintainer script and needs no root.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import tarfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from leoflow_builder.debpackage import DebPackage
from leoflow_builder.recipe import BaseImageError

MERGED = ("bin", "lib", "lib64", "sbin")
Wants = Callable[[str], bool]


class DebCache:
    """The .debs under LEOFLOW_HOME/cache/debs; what is there is whole and has its hash."""

    def __init__(self, home: Path) -> None:
        self.folder = home.absolute() / "cache" / "debs"

    def path(self, package: DebPackage) -> Path:
        """Return where a package's .deb lies, or would lie."""
        return self.folder / f"{package.sha256}.deb"

    def missing(self, packages: Iterable[DebPackage]) -> list[DebPackage]:
        """Return the packages of which the cache has no .deb."""
        return [package for package in packages if not self.path(package).exists()]

    def take(self, file: Path, package: DebPackage) -> None:
        """Move a file from the same disk into the cache; BaseImageError if its hash is another."""
        with file.open("rb") as content:
            found = hashlib.file_digest(content, "sha256").hexdigest()
        if found != package.sha256:
            raise BaseImageError(
                f"the mirror's '{package.name}' {package.version} has SHA-256 {found}, and not "
                f"{package.sha256}. Build again, or name another mirror as LEOFLOW_DEBIAN_MIRROR"
            )
        file.chmod(0o644)
        file.replace(self.path(package))


def merged(path: str) -> str:
    """Return where a path lies when /bin, /lib, /lib64 and /sbin are links into /usr."""
    path = path.removeprefix("./").strip("/")
    first = path.partition("/")[0]
    return f"usr/{path}" if first in MERGED else path


def extract(archive: Path, root: Path, wants: Wants) -> list[str]:
    """Write the files and links that are wanted below ``root``; return their (merged) paths.

    Modes are 755 or 644 whatever the umask; set-user-ID bits and owners are not kept.
    """
    written = []
    with _open(archive, "--fsys-tarfile") as members:
        for member in members:
            path = merged(member.name)
            if member.isdir() or not wants(path):
                continue
            _refuse_outside(path, archive)
            _write(members, member, root / path, archive)
            written.append(path)
    return written


def control_file(archive: Path, name: str) -> str:
    """Return the text of a control file such as "postinst"; nothing if there is none."""
    with _open(archive, "--ctrl-tarfile") as members:
        for member in members:
            if member.name.removeprefix("./") == name and member.isfile():
                content = members.extractfile(member)
                return content.read().decode(errors="replace") if content else ""
    return ""


def _write(members: tarfile.TarFile, member: tarfile.TarInfo, target: Path, archive: Path) -> None:
    _make_folders(target.parent)
    target.unlink(missing_ok=True)
    if member.issym():
        target.symlink_to(member.linkname)
    elif member.islnk():
        # The first of several names has the content, and may be one that nobody wanted.
        content, mode = _content_of(archive, merged(member.linkname))
        _write_file(target, [content], mode)
    elif member.isfile():
        source = members.extractfile(member)
        pieces = iter(lambda: source.read(1 << 20), b"") if source else iter(())
        _write_file(target, pieces, member.mode)


def _write_file(target: Path, pieces: Iterable[bytes], mode: int) -> None:
    with target.open("wb") as file:
        file.writelines(pieces)
    target.chmod(0o755 if mode & 0o100 else 0o644)


def _make_folders(folder: Path) -> None:
    if not folder.exists():
        _make_folders(folder.parent)
        folder.mkdir()
        folder.chmod(0o755)


def _content_of(archive: Path, path: str) -> tuple[bytes, int]:
    with _open(archive, "--fsys-tarfile") as members:
        for member in members:
            if member.isfile() and not member.islnk() and merged(member.name) == path:
                content = members.extractfile(member)
                return (content.read() if content else b""), member.mode
    raise BaseImageError(f"'{archive.name}' links to '{path}' and does not hold it. Build again")


def _refuse_outside(path: str, archive: Path) -> None:
    if ".." in path.split("/"):
        raise BaseImageError(f"'{archive.name}' holds '{path}', which leads out of the image")


@contextmanager
def _open(archive: Path, part: str) -> Iterator[tarfile.TarFile]:
    command = ["dpkg-deb", part, str(archive)]
    environment = {**os.environ, "LC_ALL": "C.UTF-8"}
    try:
        with (
            subprocess.Popen(
                command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            ) as process,
            tarfile.open(fileobj=process.stdout, mode="r|") as members,
        ):
            yield members
    except FileNotFoundError:
        raise BaseImageError("`dpkg-deb` is not on PATH. Install dpkg") from None
    except tarfile.TarError as error:
        raise BaseImageError(
            f"'{archive}' cannot be read: {error}. Remove it and build again"
        ) from error
