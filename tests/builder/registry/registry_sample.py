"""Small images to push, and clients that do not wait."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from leoflow_builder.registry.client import Registry
from leoflow_builder.registry.credential import Find, find_nothing
from leoflow_builder.registry.descriptor import OCI_INDEX, OCI_MANIFEST
from leoflow_builder.registry.digest import digest_of
from leoflow_builder.registry.image import BlobToPush, ImageToPush, ManifestToPush
from leoflow_builder.registry.retry import Retry, RetryPolicy

LAYER = "application/vnd.oci.image.layer.v1.tar+zstd"
CONFIG = "application/vnd.oci.image.config.v1+json"


def make_blob(folder: Path, content: bytes, media_type: str = LAYER, **fields: Any) -> BlobToPush:
    """Write a blob into a file."""
    digest = digest_of(content)
    path = folder / digest.replace(":", "-")
    path.write_bytes(content)
    return BlobToPush(digest, len(content), path, media_type, **fields)


def described(part: BlobToPush | ManifestToPush) -> dict[str, Any]:
    """Return a descriptor as JSON has it."""
    size = part.size_bytes if isinstance(part, BlobToPush) else len(part.content)
    return {"mediaType": part.media_type, "digest": part.digest, "size": size}


def make_manifest(document: dict[str, Any], media_type: str) -> ManifestToPush:
    """Write a manifest down."""
    content = json.dumps({"schemaVersion": 2, "mediaType": media_type, **document}).encode()
    return ManifestToPush(digest_of(content), media_type, content)


def make_image(
    folder: Path, layers: Sequence[bytes] = (b"base", b"deps", b"dag"), machine: str = "amd64"
) -> ImageToPush:
    """Make an image for one platform."""
    blobs = [make_blob(folder, layer) for layer in layers]
    # As many layers as there are, so that images with other layers have other configurations.
    facts = {"os": "linux", "architecture": machine, "layers": [blob.digest for blob in blobs]}
    config = make_blob(folder, json.dumps(facts).encode(), CONFIG)
    parts = {"config": described(config), "layers": [described(blob) for blob in blobs]}
    return ImageToPush((make_manifest(parts, OCI_MANIFEST),), (*blobs, config))


def make_index(folder: Path) -> ImageToPush:
    """Make an image for two platforms with one layer in common."""
    images = {
        machine: make_image(folder, (b"shared", machine.encode()), machine)
        for machine in ("amd64", "arm64")
    }
    entries = [
        described(image.top) | {"platform": {"os": "linux", "architecture": machine}}
        for machine, image in images.items()
    ]
    index = make_manifest({"manifests": entries}, OCI_INDEX)
    inner = tuple(image.top for image in images.values())
    blobs = tuple(blob for image in images.values() for blob in image.blobs)
    return ImageToPush((*inner, index), blobs)


def random_bytes(size: int = 1_500_000) -> bytes:
    """Return what no buffer of a socket takes whole."""
    return os.urandom(size)


class Waits:
    """Records how long a client would have waited."""

    def __init__(self, **policy: Any) -> None:
        self.seconds: list[float] = []
        self.retry = Retry(RetryPolicy(**policy), self.seconds.append, lambda: 0.0)


def open_registry(host: str, find: Find = find_nothing, waits: Waits | None = None) -> Registry:
    """Open a registry on plain HTTP that is retried without waiting."""
    return Registry(host, find, insecure=True, retry=(waits or Waits()).retry)
