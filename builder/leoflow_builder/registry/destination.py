"""A registry as the destination of images. Attestations go with them, in the index.

The HTTP library takes long to load, so that is left until the registry is spoken to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from leoflow_builder.destination import Receipt, Say
from leoflow_builder.oci.presence import INDEX
from leoflow_builder.registry.descriptor import MANIFESTS
from leoflow_builder.registry.failure import NotInRegistry
from leoflow_builder.registry.image import BlobToPush, ImageToPush, ManifestToPush
from leoflow_builder.registry.lighthttp import load_httpx
from leoflow_builder.registry.pushmemory import PushMemory
from leoflow_builder.registry.reference import Reference
from leoflow_builder.scratch import scratch_folder

if TYPE_CHECKING:
    from leoflow_builder.oci.content import Content
    from leoflow_builder.oci.layout import Bundle
    from leoflow_builder.registry.sidebyside import Progress


def _tell_nobody(what: str, done_bytes: int, total_bytes: int) -> None:
    """Ignore progress."""


class RegistryDestination:
    """The registry and the tag that a reference names. ``memory`` is a folder for what was pushed
    where: what another repository of the registry has is mounted."""

    is_engine = False

    def __init__(
        self,
        reference: Reference,
        progress: Progress = _tell_nobody,
        memory: Path | None = None,
    ) -> None:
        self._reference = reference
        self._progress = progress
        self._memory = PushMemory(memory, reference.host)

    @property
    def place(self) -> str:
        """See `Destination`."""
        return f"registry {self._reference.host}"

    def require(self) -> None:
        """See `Destination`; whether a registry takes an image shows only when it is sent one."""

    def has(self, name: str, image_id: str) -> bool:  # noqa: ARG002 - it is the reference
        """See `Destination`; the tag may have been moved by others."""
        load_httpx()
        from leoflow_builder.registry.client import Registry

        with Registry(self._reference.host) as registry, suppress(NotInRegistry):
            return registry.manifest(self._reference).digest == image_id
        return False

    def receive(self, bundle: Bundle, say: Say) -> Receipt:
        """See `Destination`."""
        load_httpx()
        from leoflow_builder.registry.client import Registry
        from leoflow_builder.registry.push import push

        say(f"pushing to '{self._reference}'")
        sources = self._memory.sources()
        with _to_push(bundle, sources) as image, Registry(self._reference.host) as registry:
            pushed = push(registry, self._reference, image, _Sum(image, self._progress).tell)
        self._memory.note(self._reference.repository, [blob.digest for blob in image.blobs])
        if pushed.sent_bytes:
            there = pushed.blobs_skipped + pushed.blobs_mounted
            say(f"sent {pushed.sent_bytes / 1000:.1f} kB, {there} blobs were there")
        return Receipt(image.top.digest, pushed.sent_bytes)


class _Sum:
    """Adds the progress of blobs up. A blob that the registry has counts when it is found."""

    def __init__(self, image: ImageToPush, progress: Progress) -> None:
        self._total = sum(blob.size_bytes for blob in image.blobs)
        self._done: dict[str, int] = {}
        self._progress = progress

    def tell(self, digest: str, done_bytes: int, total_bytes: int) -> None:  # noqa: ARG002
        """See `push`: one call at a time."""
        self._done[digest] = done_bytes
        self._progress("pushing", sum(self._done.values()), self._total)


@contextmanager
def _to_push(bundle: Bundle, sources: Mapping[str, str]) -> Iterator[ImageToPush]:
    with scratch_folder("leoflow-push-") as folder:
        index = [bundle.index()] if bundle.attestations or len(bundle.images) > 1 else []
        contents = [one for one in bundle.contents if one.media_type != INDEX]
        # One of Docker's own is a ready image's, which is pushed as it is.
        manifests = [one for one in contents if one.media_type in MANIFESTS]
        blobs = [one for one in contents if one.media_type not in MANIFESTS]
        yield ImageToPush(
            tuple(_manifest(one) for one in [*manifests, *index]),
            tuple(_blobs(blobs, folder, sources)),
        )


def _manifest(content: Content) -> ManifestToPush:
    return ManifestToPush(content.digest, content.media_type, b"".join(content.chunks()))


def _blobs(
    contents: Sequence[Content], folder: Path, sources: Mapping[str, str]
) -> Iterator[BlobToPush]:
    for one in contents:
        source = one.source
        if isinstance(source, bytes):
            path = folder / one.digest.partition(":")[2]
            path.write_bytes(source)
            source = path
        file, known = one.checked_file(source), sources.get(one.digest)
        yield BlobToPush(one.digest, one.size_bytes, file, one.media_type, known)
