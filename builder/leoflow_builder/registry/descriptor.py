"""Manifests, indexes and descriptors as typed values. Pure; it fetches nothing.

https://github.com/opencontainers/image-spec/blob/v1.1.0/manifest.md and image-index.md
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from leoflow_builder.registry.digest import is_digest
from leoflow_builder.registry.failure import PlatformMissing, Refused

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
MANIFESTS = (OCI_MANIFEST, DOCKER_MANIFEST)
INDEXES = (OCI_INDEX, DOCKER_LIST)
ACCEPTED = (*MANIFESTS, *INDEXES)
# BuildKit's mark on what is no image: provenance and SBOM, listed beside the platforms.
_ATTESTATION = ("vnd.docker.reference.type", "attestation-manifest")


@dataclass(frozen=True)
class Descriptor:
    """A pointer to content. ``platform`` is as in "linux/arm64/v8", where the index tells it.

    ``elsewhere`` is content that no registry keeps (a layer with addresses of its own).
    """

    media_type: str
    digest: str
    size_bytes: int
    platform: str | None = None
    is_attestation: bool = False
    elsewhere: bool = False


@dataclass(frozen=True)
class Manifest:
    """An image for one platform; ``content`` is what the digest is that of."""

    media_type: str
    digest: str
    content: bytes
    config: Descriptor
    layers: tuple[Descriptor, ...]


@dataclass(frozen=True)
class Index:
    """Images for several platforms."""

    media_type: str
    digest: str
    content: bytes
    manifests: tuple[Descriptor, ...]


def parse_manifest(content: bytes, media_type: str, digest: str) -> Manifest | Index:
    """Read a manifest or an index; Refused if it is neither, or of the old schema 1."""
    document = _json_object(content, digest)
    kind = media_type if media_type in ACCEPTED else str(document.get("mediaType"))
    try:
        if kind in INDEXES or (kind not in MANIFESTS and "manifests" in document):
            listed = tuple(_descriptor(one) for one in document["manifests"])
            return Index(kind, digest, content, listed)
        if kind in MANIFESTS or "layers" in document:
            layers = tuple(_descriptor(one) for one in document["layers"])
            return Manifest(kind, digest, content, _descriptor(document["config"]), layers)
    except (KeyError, TypeError, ValueError) as error:
        raise Refused(f"the manifest '{digest}' cannot be read: {error!r}. Push it again") from None
    raise Refused(
        f"the manifest '{digest}' has the media type '{media_type}', which leoflow does not read. "
        "Push the image again with a current tool; it has to be an OCI image or Docker schema 2"
    )


def choose(index: Index, platform: str, name: str) -> Descriptor:
    """Return the entry of a platform; one with a variant does for a platform without.

    PlatformMissing lists what there is; attestations are no images.
    """
    images = [one for one in index.manifests if not one.is_attestation]
    for entry in images:
        if entry.platform is not None and fits(entry.platform, platform):
            return entry
    raise PlatformMissing(missing_text(name, platform, [one.platform or "?" for one in images]))


def fits(offered: str, wanted: str) -> bool:
    """Tell whether one platform does for another, as "linux/arm/v7" does for "linux/arm"."""
    # v8 is the only arm64 there is, and is as often left out as written.
    offered, wanted = (one.replace("arm64/v8", "arm64") for one in (offered, wanted))
    return offered == wanted or offered.startswith(f"{wanted}/")


def missing_text(name: str, platform: str, offered: Sequence[str]) -> str:
    """Say that a platform is not among those offered."""
    there = ", ".join(f"'{one}'" for one in sorted(set(offered))) or "no platform at all"
    return f"'{name}' has no image for '{platform}'. It has {there}. Choose one of them"


def platform_of(config: bytes) -> str:
    """Return the platform that the configuration of an image names."""
    return _platform(_json_object(config, "config")) or "unknown/unknown"


def _json_object(content: bytes, what: str) -> Mapping[str, Any]:
    try:
        document = json.loads(content)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise Refused(f"'{what}' is not a JSON object. Is this address that of a registry?")
    return document


def _descriptor(entry: Mapping[str, Any]) -> Descriptor:
    digest, size = entry["digest"], entry["size"]
    if not isinstance(digest, str) or not is_digest(digest):
        raise ValueError(f"no digest: {digest!r}")
    if not isinstance(size, int) or size < 0:
        raise ValueError(f"no size: {size!r}")
    platform = _platform(entry.get("platform") or {})
    name, value = _ATTESTATION
    attests = (entry.get("annotations") or {}).get(name) == value
    return Descriptor(
        media_type=str(entry.get("mediaType", "")),
        digest=digest,
        size_bytes=size,
        platform=platform,
        is_attestation=attests or platform == "unknown/unknown",
        elsewhere=bool(entry.get("urls")),
    )


def _platform(fields: Mapping[str, Any]) -> str | None:
    if not fields.get("os") or not fields.get("architecture"):
        return None
    parts = [fields["os"], fields["architecture"], fields.get("variant")]
    return "/".join(str(part) for part in parts if part)
