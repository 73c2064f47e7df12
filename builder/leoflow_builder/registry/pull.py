"""Finds the image of one platform behind a name, and fetches its blobs into a folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from leoflow_builder.registry.client import Registry, tell_nobody
from leoflow_builder.registry.descriptor import (
    Descriptor,
    Manifest,
    choose,
    fits,
    missing_text,
    parse_manifest,
    platform_of,
)
from leoflow_builder.registry.digest import digest_of_file
from leoflow_builder.registry.download import blob_path
from leoflow_builder.registry.failure import PlatformMissing, Refused
from leoflow_builder.registry.reference import Reference
from leoflow_builder.registry.sidebyside import Job, Progress, run_side_by_side

# An index may list indexes; nobody is known to go deeper than this.
_DEEPEST = 3


@dataclass(frozen=True)
class PulledImage:
    """An image of one platform. ``reference`` is its own, by digest; ``config`` and ``layers``,
    from the bottom up, are files, the layers as compressed as the registry keeps them."""

    reference: Reference
    manifest: Manifest
    config: Path
    layers: tuple[Path, ...]


def resolve(registry: Registry, reference: Reference, platform: str) -> Manifest:
    """Return the manifest of an image for a platform such as "linux/amd64".

    PlatformMissing lists what there is. Where the name leads to a single image, only `pull` finds
    out for which platform that is.
    """
    wanted = reference
    for _ in range(_DEEPEST):
        fetched = registry.manifest(wanted)
        found = parse_manifest(fetched.content, fetched.media_type, fetched.digest)
        if isinstance(found, Manifest):
            return found
        wanted = reference.at(choose(found, platform, str(reference)).digest)
    raise Refused(f"'{reference}' is an index of indexes of indexes. Name one image in it")


def pull(
    registry: Registry,
    reference: Reference,
    platform: str,
    folder: Path,
    progress: Progress = tell_nobody,
) -> PulledImage:
    """Fetch an image for a platform; blobs lie in the folder as in an OCI layout's `blobs`.

    Blobs that are in the folder already, and are what their names say, are not fetched.
    """
    manifest = resolve(registry, reference, platform)
    repository = reference.repository
    config = _ensure(registry, repository, manifest.config, folder, progress)
    offered = platform_of(config.read_bytes())
    if not fits(offered, platform):
        raise PlatformMissing(missing_text(str(reference), platform, [offered]))
    unique = list({layer.digest: layer for layer in manifest.layers}.values())
    jobs = [_job(registry, repository, layer, folder) for layer in unique]
    run_side_by_side(jobs, progress, registry.interrupt)
    layers = tuple(blob_path(folder, layer.digest) for layer in manifest.layers)
    return PulledImage(reference.at(manifest.digest), manifest, config, layers)


def _job(registry: Registry, repository: str, blob: Descriptor, folder: Path) -> Job[Path]:
    return lambda progress: _ensure(registry, repository, blob, folder, progress)


def _ensure(
    registry: Registry, repository: str, blob: Descriptor, folder: Path, progress: Progress
) -> Path:
    path = blob_path(folder, blob.digest)
    if _is_there(path, blob):
        progress(blob.digest, blob.size_bytes, blob.size_bytes)
    else:
        registry.blob(repository, blob, path, progress)
    return path


def _is_there(path: Path, blob: Descriptor) -> bool:
    """Tell whether a file is the blob; one that a person or a broken disk changed is not."""
    try:
        if path.stat().st_size != blob.size_bytes:
            return False
        return digest_of_file(path, blob.digest) == blob.digest
    except FileNotFoundError:
        return False
