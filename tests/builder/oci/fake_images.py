"""An engine's images in memory. It reads real archives, and refuses one that lacks a blob."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from typing import Any

from leoflow_builder.failure import EngineError
from leoflow_builder.oci.engine_images import ImageFacts
from leoflow_builder.oci.engine_socket import Archive
from leoflow_builder.oci.presence import IMAGE_NAME


class FakeImages:
    """Keeps images as registries do: the id is the manifest's digest."""

    def __init__(self, host: str = "unix:///fake") -> None:
        self.host = host
        self.blobs: dict[str, bytes] = {}
        self.names: dict[str, str] = {}
        self.loads: list[set[str]] = []
        self.answers = True

    def require(self) -> None:
        if not self.answers:
            raise EngineError("no container engine answers")

    def stores_manifests(self) -> bool:
        self.require()
        return True

    def find(self, reference: str) -> ImageFacts | None:
        self.require()
        image_id = self.names.get(_whole(reference)) or reference
        if image_id not in self.names.values():
            return None
        config = self._json(self._json(image_id)["config"]["digest"])
        return ImageFacts(image_id, tuple(config["rootfs"]["diff_ids"]))

    def tag(self, image_id: str, reference: str) -> None:
        if image_id not in self.blobs:
            raise EngineError(f"no such image: {image_id}")
        self.names[_whole(reference)] = image_id

    def load(self, archive: Archive) -> None:
        data = b"".join(archive.pieces)
        assert len(data) == archive.size_bytes
        with tarfile.open(fileobj=io.BytesIO(data)) as read:
            files = {one.name: read.extractfile(one).read() for one in read}  # type: ignore[union-attr]
        sent = {_digest(name): body for name, body in files.items() if name.startswith("blobs/")}
        self.loads.append(set(sent))
        (top,) = json.loads(files["index.json"])["manifests"]
        known = {**self.blobs, **sent}
        manifest = json.loads(known[top["digest"]])
        for one in (*manifest["layers"], manifest["config"]):
            if one["digest"] not in known:
                # As containerd does: the name is given before the layers are looked at.
                self.blobs = known
                self.names[top["annotations"][IMAGE_NAME]] = top["digest"]
                raise EngineError(f"content digest {one['digest']}: not found")
        self.blobs = known
        self.names[top["annotations"][IMAGE_NAME]] = top["digest"]

    def save(self, reference: str) -> Iterator[bytes]:
        raise NotImplementedError(reference)

    def remove(self, reference: str) -> None:
        self.names.pop(_whole(reference), None)
        manifests = [(one, self._json(one)) for one in set(self.names.values())]
        needed = {digest for digest, _ in manifests}
        for _, manifest in manifests:
            needed |= {one["digest"] for one in (*manifest["layers"], manifest["config"])}
        self.blobs = {one: body for one, body in self.blobs.items() if one in needed}

    def _json(self, digest: str) -> Any:
        return json.loads(self.blobs[digest])


def _digest(name: str) -> str:
    return name.removeprefix("blobs/").replace("/", ":")


def _whole(reference: str) -> str:
    return reference if "." in reference.partition("/")[0] else f"docker.io/{reference}"
