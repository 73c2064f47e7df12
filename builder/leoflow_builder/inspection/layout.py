"""Images in an OCI layout that is a folder.

https://github.com/opencontainers/image-spec/blob/v1.1.0/image-layout.md
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from leoflow_builder.inspection.failure import BrokenImage, NotAnImage
from leoflow_builder.inspection.source import Pointer

INDEX = "index.json"


class LayoutFolder:
    """An OCI layout; it stays as it is."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.name = f"the OCI layout '{folder}'"

    def top(self) -> bytes:
        """See `ImageSource`."""
        try:
            return (self._folder / INDEX).read_bytes()
        except FileNotFoundError:
            raise NotAnImage(
                f"'{self._folder}' is a folder and no OCI layout: it has no '{INDEX}'. Name the "
                "folder that `leoflow build --output` wrote or, for an engine's image, write "
                f"'docker-daemon:{self._folder}'"
            ) from None

    @contextmanager
    def open_blob(self, pointer: Pointer) -> Iterator[IO[bytes]]:
        """See `ImageSource`."""
        algorithm, _, value = pointer.digest.partition(":")
        if not (algorithm.isalnum() and value.isalnum()):
            raise BrokenImage(f"{self.name}: '{pointer.digest}' is no digest. Make it again")
        try:
            file = (self._folder / "blobs" / algorithm / value).open("rb")
        except FileNotFoundError:
            raise missing_blob(self.name, pointer) from None
        with file:
            yield file


def missing_blob(name: str, pointer: Pointer) -> BrokenImage:
    """Return the error that a source lacks content which it names."""
    platform = f" of the image for '{pointer.platform}'" if pointer.platform else ""
    return BrokenImage(
        f"{name} lacks the blob '{pointer.digest}'{platform}. It was copied in part: copy, build "
        "or save it again, or choose another platform with --platform"
    )
