"""The builder that needs no engine, no privilege and no network: it writes the images itself.

It decides nothing about an image: the plan has it all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from leoflow_builder.builder import Blob, BuiltImage, PlannedImage
from leoflow_builder.destination import Destination, Say
from leoflow_builder.oci.image import OciImage, make_image
from leoflow_builder.oci.layout import Bundle

Describe = Callable[[str, Sequence[OciImage]], Bundle]


def bare_bundle(name: str, images: Sequence[OciImage]) -> Bundle:
    """Return images as a bundle that says nothing more about them."""
    return Bundle(name, tuple(images))


class OciBuilder:
    """Makes OCI images. ``describe`` adds what is told about them, such as an SBOM."""

    name = "oci"

    def __init__(self, describe: Describe = bare_bundle) -> None:
        self._describe = describe

    def build(
        self, images: Sequence[PlannedImage], name: str, destination: Destination, say: Say
    ) -> BuiltImage:
        """See `Builder`."""
        made = [make_image(one.plan, one.layers, one.below) for one in images]
        return deliver(self._describe(name, made), destination, say)


def deliver(bundle: Bundle, destination: Destination, say: Say) -> BuiltImage:
    """Give a bundle to a destination; the digest is that of the manifest, of several the index."""
    receipt = destination.receive(bundle, say)
    several = len(bundle.images) > 1
    digest = bundle.top.digest if several else bundle.images[0].manifest.digest
    blobs = tuple(Blob(one.digest, one.size_bytes) for one in bundle.images[0].layers)
    return BuiltImage(receipt.image_id, digest, None, blobs)
