"""Images in a registry; blobs are kept in a folder while they are looked into.

How a registry is talked to is `leoflow_builder.registry`'s, which is imported at first use.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING

from leoflow_builder.inspection.source import ImageSource, Pointer
from leoflow_builder.scratch import scratch_folder

if TYPE_CHECKING:
    from leoflow_builder.registry.client import Registry
    from leoflow_builder.registry.reference import Reference


class RegistrySource:
    """One name in a registry. ``folder`` keeps blobs, as in the `blobs` of an OCI layout."""

    def __init__(self, registry: Registry, reference: Reference, folder: Path) -> None:
        self._registry = registry
        self._reference = reference
        self._folder = folder
        self.name = f"the registry's image '{reference}'"

    def top(self) -> bytes:
        """See `ImageSource`."""
        return self._top

    @cached_property
    def _top(self) -> bytes:
        return self._registry.manifest(self._reference).content

    @contextmanager
    def open_blob(self, pointer: Pointer) -> Iterator[IO[bytes]]:
        """See `ImageSource`. A manifest is a blob here as well."""
        path = self._folder / pointer.digest.replace(":", "/")
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._fetch(pointer, path)
        with path.open("rb") as file:
            yield file

    def _fetch(self, pointer: Pointer, path: Path) -> None:
        from leoflow_builder.registry.descriptor import ACCEPTED, Descriptor

        if pointer.media_type in ACCEPTED:
            fetched = self._registry.manifest(self._reference.at(pointer.digest))
            path.write_bytes(fetched.content)
            return
        blob = Descriptor(pointer.media_type, pointer.digest, pointer.size_bytes)
        self._registry.blob(self._reference.repository, blob, path)


@contextmanager
def open_in_registry(text: str) -> Iterator[ImageSource]:
    """Give the image of a reference such as "host:5000/team/dag:1"; RegistryError if none."""
    from leoflow_builder.registry.client import Registry
    from leoflow_builder.registry.reference import parse_reference
    from leoflow_builder.registry.retry import Retry, RetryPolicy

    reference = parse_reference(text)
    # Somebody waits who may have mistyped the name of an image of the engine.
    retry = Retry(RetryPolicy(attempts=3))
    with (
        scratch_folder("leoflow-inspect-") as folder,
        Registry(reference.host, retry=retry) as registry,
    ):
        source = RegistrySource(registry, reference, folder)
        source.top()
        yield source
