"""An image that is to be pushed, and whether it is whole. Pure but for the sizes of its files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from leoflow_builder.registry.descriptor import Descriptor, Index, parse_manifest
from leoflow_builder.registry.digest import digest_of
from leoflow_builder.registry.failure import DigestMismatch, IncompleteImage


@dataclass(frozen=True)
class BlobToPush:
    """A layer or a configuration in a file. ``mount_from`` is a repository of the same registry
    that may have it already."""

    digest: str
    size_bytes: int
    path: Path
    media_type: str
    mount_from: str | None = None


@dataclass(frozen=True)
class ManifestToPush:
    """A manifest or an index, byte for byte."""

    digest: str
    media_type: str
    content: bytes


@dataclass(frozen=True)
class ImageToPush:
    """``manifests``: those of platforms first, the one that is to be tagged last."""

    manifests: tuple[ManifestToPush, ...]
    blobs: tuple[BlobToPush, ...]

    @property
    def top(self) -> ManifestToPush:
        """What the tag is to point at."""
        return self.manifests[-1]


def check_whole(image: ImageToPush) -> None:
    """Raise IncompleteImage if a manifest names what comes neither before it nor as a blob.

    DigestMismatch if a manifest or the size of a file is not what is written down of it.
    """
    if not image.manifests:
        raise IncompleteImage("there is no manifest to push. Build the image first")
    sizes = {blob.digest: blob.size_bytes for blob in image.blobs}
    for blob in image.blobs:
        _check_file(blob)
    for manifest in image.manifests:
        computed = digest_of(manifest.content, manifest.digest)
        if computed != manifest.digest:
            raise DigestMismatch(
                f"the manifest '{manifest.digest}' is really '{computed}'. Build the image again"
            )
        for part in _parts(manifest):
            _check_part(manifest, part, sizes)
        sizes[manifest.digest] = len(manifest.content)


def _parts(manifest: ManifestToPush) -> Iterator[Descriptor]:
    parsed = parse_manifest(manifest.content, manifest.media_type, manifest.digest)
    if isinstance(parsed, Index):
        yield from parsed.manifests
        return
    yield parsed.config
    yield from (layer for layer in parsed.layers if not layer.elsewhere)


def _check_part(manifest: ManifestToPush, part: Descriptor, sizes: dict[str, int]) -> None:
    size = sizes.get(part.digest)
    if size is None:
        raise IncompleteImage(
            f"the manifest '{manifest.digest}' names '{part.digest}', which is not among what is "
            "to be pushed before it. Build the image again"
        )
    if size != part.size_bytes:
        raise DigestMismatch(
            f"the manifest '{manifest.digest}' says that '{part.digest}' has {part.size_bytes} "
            f"bytes; it has {size}. Build the image again"
        )


def _check_file(blob: BlobToPush) -> None:
    try:
        size = blob.path.stat().st_size
    except OSError as error:
        raise IncompleteImage(
            f"the blob '{blob.digest}' cannot be read at '{blob.path}': {error.strerror}. "
            "Build the image again"
        ) from error
    if size != blob.size_bytes:
        raise DigestMismatch(
            f"the blob '{blob.digest}' at '{blob.path}' has {size} bytes instead of "
            f"{blob.size_bytes}. Build the image again"
        )
