"""What is told about the layers of a built image. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from leoflow_builder.builder import Blob
from leoflow_builder.layer import Layer, LayerName

NAMES: tuple[LayerName, ...] = ("base", "system", "agent", "deps", "dag")
# Told only where there is one: few DAGs have it.
RARE: LayerName = "system"


@dataclass(frozen=True)
class LayerReport:
    """One layer. ``digest`` and ``size_bytes`` are the compressed blob's, as a registry would
    keep it; where the engine keeps none the digest is the plain tar's and the size None."""

    name: LayerName
    digest: str | None
    size_bytes: int | None
    reused: bool


def report_layers(
    layers: Sequence[Layer], blobs: Sequence[Blob] | None, base_digest: str | None = None
) -> tuple[LayerReport, ...]:
    """Report on base, agent, deps and dag, from the bottom up; one that is lacking has size 0.

    Blobs below the given layers belong to a base image of the user's own, ``base_digest``.
    """
    reports = {name: LayerReport(name, None, 0, True) for name in NAMES}
    # A ready image has no layers but those below.
    split = max(len(blobs or ()) - len(layers), 0)
    own = list(blobs or [])[split:]
    for index, layer in enumerate(layers):
        blob = own[index] if own else None
        digest, size = (blob.digest, blob.size_bytes) if blob else (layer.diff_id, None)
        reports[layer.name] = LayerReport(layer.name, digest, size, layer.reused)
    if base_digest is not None:
        below = list(blobs or [])[:split]
        size = sum(blob.size_bytes for blob in below) if blobs is not None else None
        reports["base"] = LayerReport("base", base_digest, size, True)
    there = {layer.name for layer in layers}
    return tuple(reports[name] for name in NAMES if name != RARE or name in there)
