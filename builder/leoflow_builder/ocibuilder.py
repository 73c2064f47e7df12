"""The builder that needs no engine, no privilege and no network: it writes the images itself.

It decides nothing about an image: the plan has it all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from leoflow_builder.builder import BuiltImage, Describe, PlannedImage
    from leoflow_builder.destination import Destination, Say
    from leoflow_builder.oci.layout import Bundle


class OciBuilder:
    """Makes OCI images out of layers as they lie in the cache."""

    name = "oci"

    def build(
        self,
        images: Sequence[PlannedImage],
        name: str,
        destination: Destination,
        say: Say,
        describe: Describe | None = None,
    ) -> BuiltImage:
        """See `Builder`."""
        from leoflow_builder.builder import bare_bundle
        from leoflow_builder.oci.image import make_image

        describe = describe or bare_bundle
        made = [make_image(one.plan, one.layers, one.below) for one in images]
        return deliver(describe(name, made), destination, say)


def deliver(bundle: Bundle, destination: Destination, say: Say) -> BuiltImage:
    """Give a bundle to a destination; the digest is that of the manifest, of several the index."""
    from leoflow_builder.builder import Blob, BuiltImage

    receipt = destination.receive(bundle, say)
    several = len(bundle.images) > 1
    digest = bundle.top.digest if several else bundle.images[0].manifest.digest
    blobs = tuple(Blob(one.digest, one.size_bytes) for one in bundle.images[0].layers)
    return BuiltImage(receipt.image_id, digest, None, blobs)
