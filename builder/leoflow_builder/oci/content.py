"""A piece of an image, which its digest names, and where its bytes are. Pure but for reading."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from leoflow_builder.failure import BuildError
from leoflow_builder.supply.canonical import canonical_json

CONFIG = "application/vnd.oci.image.config.v1+json"
CHUNK_BYTES = 1 << 20
Json = Mapping[str, object]


class DamagedContent(BuildError):
    """A file of leoflow's own is not what was written into it once."""

    def __init__(self, content: Content, source: Path) -> None:
        super().__init__(
            f"'{source}' is damaged, as after a power cut: it is not what its digest "
            f"'{content.digest}' says. Run `leoflow cache prune --all`, and build again"
        )


@dataclass(frozen=True)
class Content:
    """A blob or a manifest. ``source`` is the file that holds it, or the bytes themselves."""

    media_type: str
    digest: str
    size_bytes: int
    source: Path | bytes

    def descriptor(self, **more: object) -> dict[str, object]:
        """Return how OCI points at it, with optional fields such as ``platform``."""
        pointer = {"mediaType": self.media_type, "digest": self.digest, "size": self.size_bytes}
        return {**pointer, **more}

    def chunks(self) -> Iterator[bytes]:
        """Give the bytes, piece by piece; DamagedContent if they are not what the digest says."""
        if isinstance(self.source, bytes):
            yield self.source
            return
        algorithm, _, digits = self.digest.partition(":")
        computed = hashlib.new(algorithm)
        with self.checked_file(self.source).open("rb") as file:
            while piece := file.read(CHUNK_BYTES):
                computed.update(piece)
                yield piece
        if computed.hexdigest() != digits:
            raise DamagedContent(self, self.source)

    def checked_file(self, source: Path) -> Path:
        """Return the file that holds it; DamagedContent if it is gone or of another size."""
        try:
            size_bytes = source.stat().st_size
        except FileNotFoundError:
            size_bytes = -1
        if size_bytes != self.size_bytes:
            raise DamagedContent(self, source)
        return source


def json_content(media_type: str, document: Json) -> Content:
    """Return a document as content; one value has one text."""
    return bytes_content(media_type, canonical_json(document))


def bytes_content(media_type: str, data: bytes) -> Content:
    """Return bytes as content."""
    return Content(media_type, digest_of(data), len(data), data)


def digest_of(data: bytes) -> str:
    """Return the digest of bytes as OCI writes it."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"
