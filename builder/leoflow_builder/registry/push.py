"""Pushes an image in the one order in which no reader ever finds half of it.

Blobs, then manifests under their digests with the inner ones first, then the tag.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from leoflow_builder.registry.client import Registry, tell_nobody
from leoflow_builder.registry.failure import DigestMismatch
from leoflow_builder.registry.image import BlobToPush, ImageToPush, check_whole
from leoflow_builder.registry.reference import Reference
from leoflow_builder.registry.sidebyside import Job, Progress, run_side_by_side
from leoflow_builder.registry.upload import Sent

_AT_ONCE = 4


@dataclass(frozen=True)
class Pushed:
    """What a push did. ``reference`` names tag and digest; bytes are those of blobs that were
    sent, and a blob that was there already counts as skipped."""

    reference: Reference
    sent_bytes: int
    blobs_sent: int
    blobs_mounted: int
    blobs_skipped: int
    manifests_sent: int


def push(
    registry: Registry,
    reference: Reference,
    image: ImageToPush,
    progress: Progress = tell_nobody,
    at_once: int = _AT_ONCE,
) -> Pushed:
    """Push an image under the tag of a reference, or only by digest if it has none.

    An image that lacks a part is refused before anything is sent. ``progress`` gets a digest, the
    bytes done and the total, one call at a time; a blob that is sent anew begins at 0 again.
    """
    check_whole(image)
    if reference.digest not in (None, image.top.digest):
        raise DigestMismatch(
            f"the image has the digest '{image.top.digest}', so it cannot be pushed as "
            f"'{reference}'. Leave the digest out"
        )
    blobs = list({blob.digest: blob for blob in image.blobs}.values())
    jobs = [_job(registry, reference.repository, blob) for blob in blobs]
    outcomes = run_side_by_side(jobs, progress, registry.interrupt, at_once)
    manifests_sent = _push_manifests(registry, reference, image)
    counts = Counter(outcomes)
    return Pushed(
        Reference(reference.host, reference.repository, reference.tag, image.top.digest),
        sum(b.size_bytes for b, how in zip(blobs, outcomes, strict=True) if how == "sent"),
        counts["sent"],
        counts["mounted"],
        counts["present"],
        manifests_sent,
    )


def _job(registry: Registry, repository: str, blob: BlobToPush) -> Job[Sent]:
    return lambda progress: registry.push_blob(repository, blob, progress)


def _push_manifests(registry: Registry, reference: Reference, image: ImageToPush) -> int:
    sent = 0
    inner = image.manifests[:-1] if reference.tag else image.manifests
    for manifest in inner:
        place = reference.at(manifest.digest)
        if not registry.has_manifest(place):
            registry.push_manifest(place, manifest)
            sent += 1
    if reference.tag:
        registry.push_manifest(reference, image.top)
        sent += 1
    return sent
