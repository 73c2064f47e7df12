"""Digests as OCI writes them: an algorithm, a colon and hexadecimal digits. Pure."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Protocol

# https://github.com/opencontainers/image-spec/blob/v1.1.0/descriptor.md#registered-algorithms
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")


class Hash(Protocol):
    """A computation of a digest, as hashlib has it."""

    def update(self, data: bytes, /) -> None:
        """Add some content."""
        ...

    def hexdigest(self) -> str:
        """Return the digits of the content so far."""
        ...


def is_digest(text: str) -> bool:
    """Tell whether a text is a digest of an algorithm that every registry knows."""
    return _DIGEST.fullmatch(text) is not None


def new_hash(digest: str) -> Hash:
    """Start a computation of the algorithm that a valid digest names."""
    return hashlib.new(digest.partition(":")[0])


def written(digest: str, computed: Hash) -> str:
    """Return what was computed, in the form of ``digest``."""
    return f"{digest.partition(':')[0]}:{computed.hexdigest()}"


def digest_of(content: bytes, like: str = "sha256:") -> str:
    """Return the digest of some content by the algorithm that ``like`` begins with."""
    computed = new_hash(like)
    computed.update(content)
    return written(like, computed)


def digest_of_file(path: Path, like: str = "sha256:") -> str:
    """Return the digest of a file."""
    with path.open("rb") as file:
        return written(like, hashlib.file_digest(file, like.partition(":")[0]))
