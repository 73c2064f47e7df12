"""Where built images go: an engine, a folder, an archive or a registry, behind one seam.

It knows no builder and decides nothing about an image.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from leoflow_builder.oci.layout import Bundle

Say = Callable[[str], None]


@dataclass(frozen=True)
class Receipt:
    """What a destination took. ``image_id`` is how it knows the image; ``sent_bytes`` are those of
    the blobs that it did not have."""

    image_id: str
    sent_bytes: int


class Destination(Protocol):
    """Takes images under a name."""

    @property
    def is_engine(self) -> bool:
        """Whether it is a container engine, into which BuildKit can build directly."""
        ...

    @property
    def place(self) -> str:
        """What tells it from every other destination."""
        ...

    def require(self) -> None:
        """Raise BuildError if it could not take an image now: known before anything is made."""
        ...

    def has(self, name: str, image_id: str) -> bool:
        """Tell whether it still has an image that it took before; an engine gives it the name."""
        ...

    def receive(self, bundle: Bundle, say: Say) -> Receipt:
        """Take all images of a bundle, under its name and whole, or raise BuildError."""
        ...
