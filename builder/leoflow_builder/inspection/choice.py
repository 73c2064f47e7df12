"""Finds the image of one platform in what a source lists, and the attestations about it."""

from __future__ import annotations

import hashlib
import platform as machine
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from leoflow_builder.inspection.document import (
    Config,
    Index,
    Manifest,
    read_config,
    read_manifest,
)
from leoflow_builder.inspection.failure import BrokenImage, NotAnImage, PlatformUnknown
from leoflow_builder.inspection.source import ImageSource, Pointer, parse_object, read_document

REF_NAME = "org.opencontainers.image.ref.name"
# BuildKit's marks on what is no image but speaks of one.
_TYPE, _ATTESTATION = "vnd.docker.reference.type", "attestation-manifest"
_SUBJECT = "vnd.docker.reference.digest"
# An index may list indexes; nobody is known to go deeper than this.
_DEEPEST = 4


@dataclass(frozen=True)
class FoundImage:
    """The image of one platform; ``size_bytes`` are its manifest's. ``index_annotations`` are those
    of all that lists it."""

    digest: str
    media_type: str
    platform: str
    manifest: Manifest
    config: Config
    index_annotations: dict[str, str] = field(default_factory=dict)
    attestations: tuple[Pointer, ...] = ()
    size_bytes: int = 0


@dataclass(frozen=True)
class _Candidate:
    pointer: Pointer
    manifest: Manifest | None
    annotations: dict[str, str]
    attestations: tuple[Pointer, ...]


def this_platform() -> str:
    """Return the platform of the images that this machine runs without emulation."""
    words = {"x86_64": "amd64", "aarch64": "arm64", "AMD64": "amd64"}
    found = machine.machine()
    return f"linux/{words.get(found, found)}"


def find_image(
    source: ImageSource, wanted: str | None, tag: str | None = None, own: str | None = None
) -> FoundImage:
    """Return the image for the platform ``wanted``, or the only one, or the one for ``own``.

    ``tag`` picks among images that have names. PlatformUnknown lists what there is.
    """
    candidates = list(_walk(source, tag))
    if not candidates:
        named = f" of the name '{tag}'" if tag else ""
        raise NotAnImage(f"{source.name} lists no image{named}. Name another one")
    fitting = _fitting(source, candidates, wanted, own or this_platform())
    digests = {one.pointer.digest for one in fitting}
    if len(digests) != 1:
        raise PlatformUnknown(_refusal(source, candidates, wanted, len(digests)))
    return _load(source, fitting[0])


def fits(offered: str, wanted: str) -> bool:
    """Tell whether an image does for a platform, as one for "linux/arm/v7" for "linux/arm"."""
    # v8 is the only arm64 there is, and is as often left out as written.
    offered, wanted = (one.replace("arm64/v8", "arm64") for one in (offered, wanted))
    return offered == wanted or offered.startswith(f"{wanted}/")


def _walk(source: ImageSource, tag: str | None) -> Iterator[_Candidate]:
    content = source.top()
    document = parse_object(content, f"{source.name}: what it begins with")
    top = read_manifest(document, source.name)
    if isinstance(top, Manifest):
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        media_type = str(document.get("mediaType") or "")
        pointer = Pointer(media_type, digest, len(content))
        yield _Candidate(pointer, top, {}, ())
        return
    entries = [one for one in top.entries if tag is None or _has_name(one, tag)]
    yield from _listed(source, Index(tuple(entries), top.annotations), {}, _DEEPEST)


def _has_name(pointer: Pointer, tag: str) -> bool:
    return tag in pointer.annotations.values()


def _listed(
    source: ImageSource, index: Index, above: dict[str, str], depth: int
) -> Iterator[_Candidate]:
    if depth == 0:
        raise BrokenImage(f"{source.name} lists indexes of indexes of indexes. Name one in it")
    annotations = {**above, **index.annotations}
    about = [one for one in index.entries if _attests(one)]
    for entry in index.entries:
        if _attests(entry):
            continue
        said = {**annotations, **entry.annotations}
        mine = tuple(one for one in about if one.annotations.get(_SUBJECT) == entry.digest)
        if "index" in entry.media_type or "manifest.list" in entry.media_type:
            inner = _read(source, entry)
            if isinstance(inner, Index):
                yield from _listed(source, inner, said, depth - 1)
                continue
        yield _Candidate(entry, None, said, mine)


def _attests(pointer: Pointer) -> bool:
    kind = pointer.annotations.get(_TYPE)
    return kind == _ATTESTATION or pointer.platform == "unknown/unknown"


def _fitting(
    source: ImageSource, candidates: Sequence[_Candidate], wanted: str | None, own: str
) -> list[_Candidate]:
    if wanted is None and len({one.pointer.digest for one in candidates}) == 1:
        return list(candidates)
    platform = wanted or own
    return [one for one in candidates if fits(_platform(source, one), platform)]


def _platform(source: ImageSource, candidate: _Candidate) -> str:
    if candidate.pointer.platform is not None:
        return candidate.pointer.platform
    return _load(source, candidate).platform


def _load(source: ImageSource, candidate: _Candidate) -> FoundImage:
    pointer = candidate.pointer
    manifest = candidate.manifest or _read(source, pointer)
    if isinstance(manifest, Index):
        raise BrokenImage(
            f"{source.name}: '{pointer.digest}' is an index and is listed as an image"
        )
    document = read_document(source, manifest.config)
    config = read_config(document, f"{source.name}: '{manifest.config.digest}'")
    if len(config.diff_ids) != len(manifest.layers):
        raise NotAnImage(
            f"{source.name}: '{pointer.digest}' has {len(manifest.layers)} layers, and its "
            f"configuration knows {len(config.diff_ids)}. It is no image that can be run"
        )
    return FoundImage(
        pointer.digest,
        pointer.media_type,
        config.platform,
        manifest,
        config,
        candidate.annotations,
        candidate.attestations,
        pointer.size_bytes,
    )


def _read(source: ImageSource, pointer: Pointer) -> Manifest | Index:
    document = read_document(source, pointer)
    return read_manifest(document, f"{source.name}: '{pointer.digest}'")


def _refusal(
    source: ImageSource, candidates: Sequence[_Candidate], wanted: str | None, found: int
) -> str:
    platforms = sorted({one.pointer.platform or "unknown" for one in candidates})
    offered = ", ".join(f"'{one}'" for one in platforms)
    if wanted is not None and found == 0:
        return f"{source.name} has no image for '{wanted}'. It has {offered}. Choose one of them"
    names = sorted({one.annotations.get(REF_NAME, "") for one in candidates} - {""})
    if found > 1 and len(names) > 1:
        listed = ", ".join(f"'{one}'" for one in names)
        return f"{source.name} has several images: {listed}. Add ':' and one of these names"
    return f"{source.name} has images for {offered}. Choose one of them with --platform"
