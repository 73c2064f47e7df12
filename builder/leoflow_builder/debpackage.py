"""One package of the distribution, pinned: what leoflow.lock and the SBOM say of it. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class DebPackage:
    """A .deb: ``architecture`` is Debian's word ("amd64", "all"), ``sha256`` that of the file, in
    hexadecimal."""

    name: str
    version: str
    architecture: str
    sha256: str
