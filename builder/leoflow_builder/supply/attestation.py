"""Statements about an image, stored beside it as BuildKit stores them, so that its tools show them.

Pure. https://github.com/moby/buildkit/blob/master/docs/attestations/attestation-storage.md
"""

from __future__ import annotations

from collections.abc import Sequence

from leoflow_builder.oci.content import CONFIG, Content, bytes_content, json_content
from leoflow_builder.oci.layout import Attestation
from leoflow_builder.oci.presence import MANIFEST
from leoflow_builder.supply.statement import Statement

STATEMENT_MEDIA_TYPE = "application/vnd.in-toto+json"
PREDICATE_ANNOTATION = "in-toto.io/predicate-type"
TYPE_ANNOTATION = "vnd.docker.reference.type"
SUBJECT_ANNOTATION = "vnd.docker.reference.digest"
ATTESTATION = "attestation-manifest"


def make_attestation(image_digest: str, statements: Sequence[Statement]) -> Attestation:
    """Return the attestation of one image; ``image_digest`` is its manifest's."""
    layers = tuple(bytes_content(STATEMENT_MEDIA_TYPE, one.content) for one in statements)
    config = json_content(CONFIG, _config(layers))
    described = [
        layer.descriptor(annotations={PREDICATE_ANNOTATION: statement.predicate_type})
        for layer, statement in zip(layers, statements, strict=True)
    ]
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": config.descriptor(),
        "layers": described,
    }
    about = {SUBJECT_ANNOTATION: image_digest, TYPE_ANNOTATION: ATTESTATION}
    return Attestation(json_content(MANIFEST, manifest), (config, *layers), about)


def _config(layers: Sequence[Content]) -> dict[str, object]:
    """Return what stands for a configuration, which every manifest has to have."""
    return {
        "architecture": "unknown",
        "os": "unknown",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": [layer.digest for layer in layers]},
    }
