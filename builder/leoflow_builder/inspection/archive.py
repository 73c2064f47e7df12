"""Images in a tar archive: an OCI layout, or what `docker save` wrote before it wrote one."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import IO, Any

from leoflow_builder.inspection.choice import REF_NAME
from leoflow_builder.inspection.failure import NotAnImage
from leoflow_builder.inspection.layout import INDEX, missing_blob
from leoflow_builder.inspection.source import ImageSource, Pointer
from leoflow_builder.inspection.tarfolder import TarFolder

DOCKER_MANIFEST = "manifest.json"
_OCI = "application/vnd.oci.image"


def open_archive(path: Path, name: str | None = None) -> ImageSource:
    """Return the images in an archive; NotAnImage if there are none. ``name`` is for errors."""
    archive = TarFolder(path, name or f"the archive '{path}'")
    # Newer engines write both; a layout tells more.
    if INDEX in archive:
        return LayoutArchive(archive)
    if DOCKER_MANIFEST in archive:
        return DockerArchive(archive)
    raise NotAnImage(
        f"{archive.name} is no image: it has neither '{INDEX}' nor '{DOCKER_MANIFEST}'. Name what "
        "`leoflow build --output FILE.tar`, `docker save` or `skopeo copy` wrote"
    )


class LayoutArchive:
    """An OCI layout in a tar."""

    def __init__(self, archive: TarFolder) -> None:
        self._archive = archive
        self.name = archive.name

    def top(self) -> bytes:
        """See `ImageSource`."""
        return self._archive.read(INDEX)

    @contextmanager
    def open_blob(self, pointer: Pointer) -> Iterator[IO[bytes]]:
        """See `ImageSource`."""
        member = f"blobs/{pointer.digest.replace(':', '/')}"
        if member not in self._archive:
            raise missing_blob(self.name, pointer)
        with self._archive.open(member) as stream:
            yield stream


class DockerArchive:
    """Docker's own format, shown as the layout that it would be.

    It holds no manifests, so their digests are those of manifests made here: they are those of no
    registry. https://github.com/moby/docker-image-spec/blob/main/v1.2.md
    """

    def __init__(self, archive: TarFolder) -> None:
        self._archive = archive
        self._files: dict[str, str] = {}
        self._manifests: dict[str, bytes] = {}
        self.name = archive.name

    def top(self) -> bytes:
        """See `ImageSource`."""
        return self._index

    @contextmanager
    def open_blob(self, pointer: Pointer) -> Iterator[IO[bytes]]:
        """See `ImageSource`."""
        assert self._index, "it fills in what there is"
        if pointer.digest in self._manifests:
            yield io.BytesIO(self._manifests[pointer.digest])
        elif pointer.digest in self._files:
            with self._archive.open(self._files[pointer.digest]) as stream:
                yield stream
        else:
            raise missing_blob(self.name, pointer)

    @cached_property
    def _index(self) -> bytes:
        try:
            entries = json.loads(self._archive.read(DOCKER_MANIFEST))
            listed = [self._listed(one) for one in entries]
        except (ValueError, TypeError, KeyError) as error:
            raise NotAnImage(
                f"{self.name}: its '{DOCKER_MANIFEST}' cannot be read: {error!r}. Save it again"
            ) from None
        return json.dumps({"schemaVersion": 2, "manifests": listed}).encode()

    def _listed(self, entry: Mapping[str, Any]) -> Mapping[str, object]:
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "config": self._describe(entry["Config"], "config.v1+json"),
                "layers": [self._describe(one, "layer.v1.tar") for one in entry["Layers"]],
            }
        ).encode()
        digest = f"sha256:{hashlib.sha256(manifest).hexdigest()}"
        self._manifests[digest] = manifest
        tags = entry.get("RepoTags") or []
        return {
            "mediaType": f"{_OCI}.manifest.v1+json",
            "digest": digest,
            "size": len(manifest),
            "annotations": {REF_NAME: str(tags[0])} if tags else {},
        }

    def _describe(self, member: str, kind: str) -> Mapping[str, object]:
        with self._archive.open(member) as stream:
            value = hashlib.file_digest(stream, "sha256").hexdigest()  # type: ignore[arg-type]
            size_bytes = stream.tell()
        self._files[f"sha256:{value}"] = member
        return {"mediaType": f"{_OCI}.{kind}", "digest": f"sha256:{value}", "size": size_bytes}
