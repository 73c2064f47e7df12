"""What a builder of images is: the seam between plans and whatever makes images of them.

Implementations: `oci`, which needs nothing, and `buildkit`, with a Docker engine. Both give the
same file system and the same configuration.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from leoflow_builder.destination import Destination
from leoflow_builder.layer import Layer
from leoflow_builder.oci.image import NOTHING, BelowImage, OciImage
from leoflow_builder.oci.layout import Bundle
from leoflow_builder.plan import ImagePlan

Say = Callable[[str], None]
Describe = Callable[[str, Sequence[OciImage]], Bundle]


@dataclass(frozen=True)
class PlannedImage:
    """A plan and the layers that it names, which lie on those of ``below``."""

    plan: ImagePlan
    layers: tuple[Layer, ...]
    below: BelowImage = NOTHING


@dataclass(frozen=True)
class Blob:
    """A compressed layer as a registry would keep it."""

    digest: str
    size_bytes: int


@dataclass(frozen=True)
class BuiltImage:
    """An image where it was wanted. ``image_id`` is what the destination calls it. ``digest`` is
    the manifest's; where it is None, ``digest_reason`` says why. ``blobs`` are those of all
    layers, from the bottom up; None where not known."""

    image_id: str
    digest: str | None
    digest_reason: str | None
    blobs: tuple[Blob, ...] | None

    @property
    def compressed_bytes(self) -> int | None:
        """What a registry would have to keep of the layers."""
        return None if self.blobs is None else sum(blob.size_bytes for blob in self.blobs)


def bare_bundle(name: str, images: Sequence[OciImage]) -> Bundle:
    """Return images as a bundle that says nothing more about them."""
    return Bundle(name, tuple(images))


class Builder(Protocol):
    """Makes images of plans."""

    @property
    def name(self) -> str:
        """The name that the command line knows it by."""
        ...

    def build(
        self,
        images: Sequence[PlannedImage],
        name: str,
        destination: Destination,
        say: Say,
        describe: Describe = bare_bundle,
    ) -> BuiltImage:
        """Make an image for each platform and deliver them under ``name``, or raise BuildError.

        ``describe`` adds what is told about the images, such as an SBOM, once they are made.
        """
        ...
