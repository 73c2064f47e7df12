"""Whether a destination still has an image that it took before. It changes nothing but an engine's
names.

Standard library only: an unchanged build asks this and nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from leoflow_builder.oci.engine_images import EngineImages

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
# The whole reference of an image, in the index of a layout.
IMAGE_NAME = "io.containerd.image.name"
Json = Mapping[str, Any]


def engine_has(images: EngineImages, name: str, image_id: str) -> bool:
    """Tell whether an engine has an image; one that lost its name is given it again."""
    found = images.find(name)
    if found is not None and found.image_id == image_id:
        return True
    if images.find(image_id) is None:
        return False
    images.tag(image_id, name)
    return True


def folder_has(folder: Path, name: str, digest: str) -> bool:
    """Tell whether a layout has an image with all its blobs, each of the right size."""
    tops = [one for one in listed_in(folder) if name_of(one) == name]
    return [one["digest"] for one in tops] == [digest] and _is_whole(folder, tops[0])


def archive_has(file: Path, name: str, digest: str) -> bool:
    """Tell whether an archive holds an image and ends where it should."""
    import tarfile

    try:
        with tarfile.open(file, "r:") as archive:
            members = archive.getmembers()
            index = archive.extractfile("index.json")
            listed = json.load(index)["manifests"] if index else []
        end = members[-1].offset_data + members[-1].size
        whole = file.stat().st_size >= end + 2 * tarfile.BLOCKSIZE
        named = [one["digest"] for one in listed if name_of(one) == name]
    except (OSError, tarfile.TarError, ValueError, KeyError, TypeError, AttributeError):
        return False
    return whole and named == [digest]


def listed_in(folder: Path) -> list[Json]:
    """Return what the index of a layout lists; nothing if it cannot be read."""
    try:
        listed = json.loads((folder / "index.json").read_bytes())["manifests"]
        return [one for one in listed if isinstance(one, dict)]
    except (OSError, ValueError, KeyError, TypeError):
        return []


def name_of(descriptor: Json) -> str | None:
    """Return the whole reference under which a layout lists an image."""
    return annotation(descriptor, IMAGE_NAME)


def annotation(descriptor: Json, key: str) -> str | None:
    """Return an annotation of a descriptor, or None."""
    annotations = descriptor.get("annotations")
    return annotations.get(key) if isinstance(annotations, dict) else None


def blob_path(folder: Path, digest: str) -> Path:
    """Return where a layout keeps a blob."""
    return folder / "blobs" / digest.replace(":", "/")


def _is_whole(folder: Path, descriptor: Json) -> bool:
    path = blob_path(folder, descriptor["digest"])
    if not path.is_file() or path.stat().st_size != descriptor["size"]:
        return False
    if descriptor["mediaType"] not in (MANIFEST, INDEX):
        return True
    return all(_is_whole(folder, one) for one in _below(json.loads(path.read_bytes())))


def _below(document: Json) -> Iterator[Json]:
    if "config" in document:
        yield document["config"]
    yield from document.get("layers", ())
    yield from document.get("manifests", ())
