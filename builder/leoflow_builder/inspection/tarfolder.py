"""The files of a tar archive by their names, without unpacking it. It knows nothing of images."""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import IO

from leoflow_builder.inspection.failure import BrokenImage, NotAnImage


class TarFolder:
    """A tar, plain or compressed. ``name`` is what errors call it."""

    def __init__(self, path: Path, name: str) -> None:
        self._path = path
        self.name = name

    def __contains__(self, member: str) -> bool:
        return normal(member) in self._members

    @contextmanager
    def open(self, member: str) -> Iterator[IO[bytes]]:
        """Open a file that is in it; a link is followed. KeyError if it is not."""
        entry = self._members[self._followed(normal(member))]
        with self._archive() as archive:
            stream = archive.extractfile(entry)
            assert stream is not None, "only files are members"
            with stream:
                yield stream

    def read(self, member: str) -> bytes:
        """Return the bytes of a file that is in it."""
        with self.open(member) as stream:
            return stream.read()

    @cached_property
    def _members(self) -> Mapping[str, tarfile.TarInfo]:
        with self._archive() as archive:
            return {normal(one.name): one for one in archive if one.isfile() or one.issym()}

    @contextmanager
    def _archive(self) -> Iterator[tarfile.TarFile]:
        try:
            with tarfile.open(self._path, "r:*") as archive:
                yield archive
        except (tarfile.TarError, EOFError, zlib.error) as error:
            raise NotAnImage(
                f"{self.name} cannot be read as a tar: {error}. It was cut short, or is something "
                "else: save the image again"
            ) from None

    def _followed(self, member: str) -> str:
        # Docker's old archives link to a layer that images share.
        entry = self._members[member]
        if not entry.issym():
            return member
        parts: list[str] = []
        for part in (PurePosixPath(member).parent / entry.linkname).parts:
            parts = parts[:-1] if part == ".." else [*parts, part]
        target = "/".join(parts)
        if target not in self._members or self._members[target].issym():
            raise BrokenImage(
                f"{self.name}: '{member}' links to '{entry.linkname}', which is not in it. "
                "Save the image again"
            )
        return target


def normal(name: str) -> str:
    """Return a member's name without "./" or "/" in front."""
    return str(PurePosixPath(name.lstrip("/")))
