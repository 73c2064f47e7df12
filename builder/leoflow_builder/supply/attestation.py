"""Statements about an image, stored beside it as BuildKit stores them, so that its tools show them.

Pure. https://github.com/moby/buildkit/blob/master/docs/attestations/attestation-storage.md
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from leoflow_builder.supply.canonical import canonical_json
from leoflow_builder.supply.statement import Statement

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
STATEMENT_MEDIA_TYPE = "application/vnd.in-toto+json"
PREDICATE_ANNOTATION = "in-toto.io/predicate-type"
TYPE_ANNOTATION = "vnd.docker.reference.type"
SUBJECT_ANNOTATION = "vnd.docker.reference.digest"
ATTESTATION = "attestation-manifest"


@dataclass(frozen=True)
class Piece:
    """A blob or a manifest, with its bytes."""

    media_type: str
    content: bytes

    @property
    def digest(self) -> str:
        """The digest as OCI writes it."""
        return f"sha256:{hashlib.sha256(self.content).hexdigest()}"

    def descriptor(self, **more: object) -> dict[str, object]:
        """Return how OCI points at it, with optional fields such as ``annotations``."""
        pointer = {"mediaType": self.media_type, "digest": self.digest, "size": len(self.content)}
        return {**pointer, **more}


@dataclass(frozen=True)
class Attestation:
    """What an image index lists beside an image: a manifest, and the blobs that it names."""

    image_digest: str
    manifest: Piece
    blobs: tuple[Piece, ...]

    def index_entry(self) -> dict[str, object]:
        """Return the descriptor for the index; it comes after those of all images."""
        return self.manifest.descriptor(
            platform={"architecture": "unknown", "os": "unknown"},
            annotations={SUBJECT_ANNOTATION: self.image_digest, TYPE_ANNOTATION: ATTESTATION},
        )


def make_attestation(image_digest: str, statements: Sequence[Statement]) -> Attestation:
    """Return the attestation of one image; ``image_digest`` is its manifest's."""
    layers = tuple(Piece(STATEMENT_MEDIA_TYPE, one.content) for one in statements)
    config = Piece(CONFIG_TYPE, canonical_json(_config(layers)))
    described = [
        layer.descriptor(annotations={PREDICATE_ANNOTATION: statement.predicate_type})
        for layer, statement in zip(layers, statements, strict=True)
    ]
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": config.descriptor(),
        "layers": described,
    }
    return Attestation(
        image_digest, Piece(MANIFEST_TYPE, canonical_json(manifest)), (config, *layers)
    )


def _config(layers: Sequence[Piece]) -> dict[str, object]:
    """Return what stands for a configuration, which every manifest has to have."""
    return {
        "architecture": "unknown",
        "os": "unknown",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [layer.digest for layer in layers]},
    }
