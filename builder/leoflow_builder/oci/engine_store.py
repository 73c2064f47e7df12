"""An engine as the destination of images: it is sent only the layers that it lacks."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from leoflow_builder.destination import Receipt, Say
from leoflow_builder.failure import EngineError
from leoflow_builder.oci.engine_images import EngineImages, ImageFacts
from leoflow_builder.oci.presence import engine_has
from leoflow_builder.wholefile import write_whole

if TYPE_CHECKING:
    from leoflow_builder.oci.image import OciImage
    from leoflow_builder.oci.layout import Bundle

# So many images are remembered as those that brought layers into an engine.
REMEMBERED = 64
_BYTES_SAID = 1_000_000


class EngineStore:
    """Loads images into an engine. ``memory`` is a folder for what was loaded where.

    The memory is a hint: a layer counts as there only while an image that has it is there.
    """

    def __init__(self, images: EngineImages, memory: Path) -> None:
        self._images = images
        place = hashlib.sha256(images.host.encode()).hexdigest()[:16]
        self._memory = memory / f"{place}.json"

    is_engine = True

    @property
    def place(self) -> str:
        """See `Destination`."""
        return f"engine {self._images.host}"

    def require(self) -> None:
        """See `Destination`."""
        self._images.require()

    def has(self, name: str, image_id: str) -> bool:
        """See `Destination`."""
        return engine_has(self._images, name, image_id)

    def receive(self, bundle: Bundle, say: Say) -> Receipt:
        """See `Destination`."""
        (image,) = bundle.images
        present = self._present(image)
        sent = _missing_bytes(image, present)
        if sent > _BYTES_SAID:
            say(f"loading {sent / 1e6:.1f} MB into the engine")
        before = self._named(bundle.name)
        try:
            self._load(bundle, present, before)
        except EngineError:
            if not present:
                raise
            # The engine lost a layer of an image that it still names: send all of them.
            sent = _missing_bytes(image, frozenset())
            self._load(bundle, frozenset(), before)
        found = self._loaded(bundle.name, image)
        self._remember(found.image_id, image)
        return Receipt(found.image_id, sent)

    def _load(self, bundle: Bundle, present: frozenset[str], before: ImageFacts | None) -> None:
        """Load a bundle; if that fails, its name means what it meant ``before``."""
        from leoflow_builder.oci.layout import make_archive

        try:
            self._images.load(make_archive(bundle, present))
        except EngineError:
            # It may be that of an image now that lacks a layer.
            self._restore(bundle.name, before)
            raise

    def _restore(self, name: str, before: ImageFacts | None) -> None:
        if before is not None:
            with suppress(EngineError):
                self._images.tag(before.image_id, name)
                return
        self._images.remove(name)

    def _named(self, name: str) -> ImageFacts | None:
        """Return the image of a name; None too if it does not work, as after a load that failed."""
        with suppress(EngineError):
            return self._images.find(name)
        return None

    def _loaded(self, name: str, image: OciImage) -> ImageFacts:
        found = self._images.find(name)
        # An engine with the classic store names an image by its configuration.
        if found is None or found.image_id not in (image.manifest.digest, image.config.digest):
            raise EngineError(
                f"the engine took '{name}' and does not have it now. Is another process removing "
                "images? Build again"
            )
        return found

    def _present(self, image: OciImage) -> frozenset[str]:
        """Return the digests of the image's layers that the engine has for sure."""
        wanted = {one.digest for one in image.layers}
        present: set[str] = set()
        for image_id, digests in self._remembered().items():
            common = wanted & set(digests)
            if common - present and self._images.find(image_id) is not None:
                present |= common
        return frozenset(present)

    def _remembered(self) -> Mapping[str, list[str]]:
        """Return the layers of the images that were loaded, the latest image first."""
        return dict(reversed(list(self._read())))

    def _read(self) -> Iterator[tuple[str, list[str]]]:
        try:
            document = json.loads(self._memory.read_text(encoding="utf-8"))
            yield from ((one, list(digests)) for one, digests in document.items())
        except (OSError, ValueError, AttributeError, TypeError):
            return

    def _remember(self, image_id: str, image: OciImage) -> None:
        known = {one: digests for one, digests in self._read() if one != image_id}
        known[image_id] = [one.digest for one in image.layers]
        kept = dict(list(known.items())[-REMEMBERED:])
        self._memory.parent.mkdir(parents=True, exist_ok=True)
        write_whole(self._memory, json.dumps(kept).encode())


def _missing_bytes(image: OciImage, present: frozenset[str]) -> int:
    return sum(one.size_bytes for one in image.layers if one.digest not in present)
