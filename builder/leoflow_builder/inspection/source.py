"""What leoflow needs of a place that keeps an image, and how content is read from it: verified.

https://github.com/opencontainers/image-spec/blob/v1.1.0/descriptor.md
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import IO, Protocol

from leoflow_builder.inspection.failure import BrokenImage

_ALGORITHMS = {"sha256": 64, "sha512": 128}
# Registries take manifests of 4 MiB; a configuration or a statement may be somewhat larger.
LARGEST_DOCUMENT = 64 << 20
_PIECE_BYTES = 1 << 20


@dataclass(frozen=True)
class Pointer:
    """OCI's descriptor: content by its digest. ``platform`` is as in "linux/arm64/v8"."""

    media_type: str
    digest: str
    size_bytes: int
    platform: str | None = None
    annotations: Mapping[str, str] = field(default_factory=dict)


class ImageSource(Protocol):
    """A place that keeps one image, or several in an index."""

    @property
    def name(self) -> str:
        """What errors call it: "the archive 'image.tar'"."""
        ...

    def top(self) -> bytes:
        """Return the index or manifest that all begins with; NotAnImage if there is none."""
        ...

    def open_blob(self, pointer: Pointer) -> AbstractContextManager[IO[bytes]]:
        """Open content to be read from front to back; BrokenImage if it is not there."""
        ...


class VerifiedStream:
    """Passes on what is read, and knows in the end whether it was what its digest says."""

    def __init__(self, stream: IO[bytes], pointer: Pointer, place: str) -> None:
        self._stream = stream
        self._pointer = pointer
        self._place = place
        self._size_bytes = 0
        self._hash = hashlib.new(_algorithm(pointer, place))

    def read(self, size: int = -1) -> bytes:
        """Read as a file does."""
        data = self._stream.read(size)
        self._hash.update(data)
        self._size_bytes += len(data)
        return data

    def verify(self) -> None:
        """Read what is left; BrokenImage if size or digest are others than those promised."""
        while self.read(_PIECE_BYTES):
            pass
        wanted = self._pointer
        found = f"{self._hash.name}:{self._hash.hexdigest()}"
        if self._size_bytes != wanted.size_bytes:
            raise BrokenImage(
                f"{self._place}: the blob '{wanted.digest}' has {self._size_bytes} bytes instead "
                f"of {wanted.size_bytes}. The image is damaged: build, save or push it again"
            )
        if found != wanted.digest:
            raise BrokenImage(
                f"{self._place}: the blob '{wanted.digest}' has the content of '{found}'. "
                "The image is damaged: build, save or push it again"
            )


@contextmanager
def open_verified(source: ImageSource, pointer: Pointer) -> Iterator[VerifiedStream]:
    """Open content that is verified at the end of the block, also if the block fails."""
    with source.open_blob(pointer) as stream:
        verified = VerifiedStream(stream, pointer, source.name)
        try:
            yield verified
        except Exception:
            verified.verify()
            raise
        verified.verify()


def read_document(source: ImageSource, pointer: Pointer) -> Mapping[str, object]:
    """Return a JSON object that a source keeps, verified; BrokenImage if it is none."""
    if pointer.size_bytes > LARGEST_DOCUMENT:
        raise BrokenImage(
            f"{source.name}: '{pointer.digest}' is said to be a document of {pointer.size_bytes} "
            f"bytes, and leoflow reads up to {LARGEST_DOCUMENT}. Make the image again"
        )
    with open_verified(source, pointer) as stream:
        content = stream.read(pointer.size_bytes)
    return parse_object(content, f"{source.name}: '{pointer.digest}'")


def parse_object(content: bytes, what: str) -> Mapping[str, object]:
    """Return the JSON object in some bytes; BrokenImage if there is none."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise BrokenImage(f"{what} is not a JSON object. Build, save or push the image again")
    return document


def _algorithm(pointer: Pointer, place: str) -> str:
    algorithm, _, value = pointer.digest.partition(":")
    digits = set(value) <= set("0123456789abcdef")
    if len(value) != _ALGORITHMS.get(algorithm) or not digits:
        raise BrokenImage(
            f"{place}: '{pointer.digest}' is no digest that leoflow can verify. It knows sha256 "
            "and sha512: make the image again with a current tool"
        )
    return algorithm
