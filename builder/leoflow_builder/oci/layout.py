"""Writes images as an OCI layout: a folder, or one archive that `docker load` takes too.

https://github.com/opencontainers/image-spec/blob/v1.1.0/image-layout.md
"""

from __future__ import annotations

import fcntl
import json
import os
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from leoflow_builder.layertar import LAYER_TIME
from leoflow_builder.oci.content import Content, Json
from leoflow_builder.oci.engine_socket import Archive
from leoflow_builder.oci.image import OciImage, image_descriptor, make_index, platform_fields
from leoflow_builder.oci.presence import IMAGE_NAME, annotation, blob_path, listed_in, name_of
from leoflow_builder.wholefile import beside, write_whole

Entry = tuple[str, int, Iterable[bytes]]
Place = Callable[[Content, Path], object]
_END = bytes(2 * tarfile.BLOCKSIZE)
LAYOUT = b'{"imageLayoutVersion":"1.0.0"}'
REF_NAME = "org.opencontainers.image.ref.name"
# On an attestation: the name of the image that it is about, so that both are replaced together.
ABOUT = "io.leoflow.about"


@dataclass(frozen=True)
class Attestation:
    """A manifest that says something about an image; ``blobs`` are all that it names.

    ``annotations`` are those of the descriptor, by which tools tell it from an image.
    """

    manifest: Content
    blobs: tuple[Content, ...]
    annotations: Mapping[str, str]

    def descriptor(self) -> Json:
        """Return how an index points at it."""
        nowhere = platform_fields("unknown/unknown")
        return self.manifest.descriptor(platform=nowhere, annotations=dict(self.annotations))


@dataclass(frozen=True)
class Bundle:
    """What is delivered under one name: images, each for a platform of its own, and attestations.

    ``name`` is the whole reference, with host and tag.
    """

    name: str
    images: tuple[OciImage, ...]
    attestations: tuple[Attestation, ...] = ()
    annotations: Mapping[str, str] = field(default_factory=dict)

    def index(self) -> Content:
        """Return the index of all images and attestations, with the bundle's annotations."""
        listed = [image_descriptor(one) for one in self.images]
        return make_index(
            [*listed, *(one.descriptor() for one in self.attestations)], self.annotations
        )

    @property
    def top(self) -> Content:
        """What a folder or an archive has under the name: an index only for several platforms."""
        return self.index() if len(self.images) > 1 else self.images[0].manifest

    @property
    def contents(self) -> tuple[Content, ...]:
        """All blobs and manifests, each once; what is named comes before what names it."""
        every = [one for image in self.images for one in (*image.blobs, image.manifest)]
        every += [one for said in self.attestations for one in (*said.blobs, said.manifest)]
        every += [self.index()] if len(self.images) > 1 else []
        return tuple({one.digest: one for one in every}.values())


def copy_content(content: Content, target: Path) -> None:
    """Write content into a file; DamagedContent if it is not what its digest says."""
    with target.open("wb") as file:
        file.writelines(content.chunks())


def write_folder(bundle: Bundle, folder: Path, place: Place = copy_content) -> int:
    """Add a bundle to a layout, which is made if it is missing; return how many bytes were new.

    ``place`` puts a blob where the layout wants it: as a copy, or as a link. DamagedContent if
    one is not what its digest says.

    What is there already is not written again. The index changes last, so that a reader never
    sees an image that is not whole; images of other names stay in it, also those that another
    process adds meanwhile.
    """
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True, exist_ok=True)
    new = sum(_write_blob(one, blobs, place) for one in bundle.contents)
    with _locked(folder):
        write_whole(folder / "oci-layout", LAYOUT)
        write_whole(folder / "index.json", _index(bundle, _others(folder, bundle.name)))
    return new


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # A disk that knows no locks is mostly nobody else's at the moment.
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def read_image(folder: Path, platform: str) -> OciImage:
    """Return the one image of a layout, whose blobs stay where they are; of attestations none."""
    (top,) = (one for one in listed_in(folder) if annotation(one, ABOUT) is None)
    manifest = _content(folder, top)
    document = json.loads(b"".join(manifest.chunks()))
    config = _content(folder, document["config"])
    diff_ids = json.loads(b"".join(config.chunks()))["rootfs"]["diff_ids"]
    layers = tuple(_content(folder, one) for one in document["layers"])
    return OciImage(platform, manifest, config, layers, tuple(diff_ids))


def _content(folder: Path, descriptor: Json) -> Content:
    digest = str(descriptor["digest"])
    size = int(str(descriptor["size"]))
    return Content(str(descriptor["mediaType"]), digest, size, blob_path(folder, digest))


def make_archive(bundle: Bundle, left_out: frozenset[str] = frozenset()) -> Archive:
    """Return a bundle as a tar: the layout of OCI and of Docker in one.

    Blobs with a digest in ``left_out`` are not in it: the reader has them.
    """
    head = [(name, len(content), [content]) for name, content in _head(bundle)]
    entries: list[Entry] = [*head]
    entries += [
        (_name_in_archive(one.digest), one.size_bytes, one.chunks())
        for one in bundle.contents
        if one.digest not in left_out
    ]
    size = sum(tarfile.BLOCKSIZE + _padded(size) for _, size, _ in entries)
    return Archive(size + len(_END), _pieces(entries))


def _pieces(entries: Iterable[Entry]) -> Iterator[bytes]:
    for name, size, chunks in entries:
        head = tarfile.TarInfo(name)
        head.size, head.mtime, head.mode = size, LAYER_TIME, 0o644
        yield head.tobuf(tarfile.USTAR_FORMAT)
        yield from chunks
        yield bytes(_padded(size) - size)
    yield _END


def _padded(size: int) -> int:
    return size + -size % tarfile.BLOCKSIZE


def _head(bundle: Bundle) -> Iterator[tuple[str, bytes]]:
    yield "oci-layout", LAYOUT
    yield "index.json", _index(bundle, [])
    if len(bundle.images) == 1:
        yield "manifest.json", _docker_manifest(bundle.images[0], bundle.name)


def _docker_manifest(image: OciImage, name: str) -> bytes:
    entry = {
        "Config": _name_in_archive(image.config.digest),
        "RepoTags": [name],
        "Layers": [_name_in_archive(one.digest) for one in image.layers],
    }
    return json.dumps([entry]).encode()


def _index(bundle: Bundle, others: Sequence[Json]) -> bytes:
    """Return a layout's index; attestations of one image are listed beside it, as in a registry."""
    named = {
        **bundle.annotations,
        IMAGE_NAME: bundle.name,
        REF_NAME: bundle.name.rpartition(":")[2],
    }
    listed: list[Json]
    if len(bundle.images) > 1:
        listed = [bundle.top.descriptor(annotations=named)]
    else:
        listed = [{**image_descriptor(bundle.images[0]), "annotations": named}]
        listed += [_about(bundle.name, one.descriptor()) for one in bundle.attestations]
    content = make_index([*others, *listed], {}).source
    assert isinstance(content, bytes)
    return content


def _about(name: str, descriptor: Json) -> Json:
    annotations = descriptor["annotations"]
    assert isinstance(annotations, dict)
    return {**descriptor, "annotations": {**annotations, ABOUT: name}}


def _others(folder: Path, name: str) -> list[Json]:
    """Return what the index of a layout lists under other names; a broken one lists nothing."""
    return [one for one in listed_in(folder) if name not in (name_of(one), annotation(one, ABOUT))]


def _write_blob(content: Content, blobs: Path, place: Place) -> int:
    target = blobs / content.digest.partition(":")[2]
    if target.exists() and target.stat().st_size == content.size_bytes:
        return 0
    with beside(target) as unfinished:
        place(content, unfinished)
    return content.size_bytes


def _name_in_archive(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"
