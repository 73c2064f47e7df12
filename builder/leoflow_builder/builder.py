"""What a builder of images is: the seam between a plan and whatever makes an image of it.

Implementations: `buildkit` with a Docker engine. Tests have a fake that passes the same contract.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from leoflow_builder.layer import Layer
from leoflow_builder.plan import ImagePlan

Say = Callable[[str], None]


@dataclass(frozen=True)
class Blob:
    """A compressed layer as a registry would keep it."""

    digest: str
    size_bytes: int


@dataclass(frozen=True)
class BuiltImage:
    """An image in the engine. ``digest`` is the manifest's; where it is None, ``digest_reason``
    says why. ``blobs`` are those of all layers, from the bottom up; None where not known."""

    image_id: str
    digest: str | None
    digest_reason: str | None
    blobs: tuple[Blob, ...] | None

    @property
    def compressed_bytes(self) -> int | None:
        """What a registry would have to keep of the layers."""
        return None if self.blobs is None else sum(blob.size_bytes for blob in self.blobs)


class Builder(Protocol):
    """Makes images of plans."""

    @property
    def name(self) -> str:
        """The name that the command line knows it by."""
        ...

    def find(self, image: BuiltImage, tag: str) -> bool:
        """Tell whether an image built before is still there, and give it the tag if so."""
        ...

    def build(self, plan: ImagePlan, layers: Sequence[Layer], tag: str, say: Say) -> BuiltImage:
        """Make the image and give it the tag; EngineError if that fails."""
        ...
