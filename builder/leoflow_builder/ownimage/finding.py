"""Finds the image that a project names: pinned, on the disk, in the engine, in a registry.

What is found is kept in leoflow's cache. What is in it is not looked at.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from leoflow_builder.cache import make_key
from leoflow_builder.cachehold import hold
from leoflow_builder.failure import BuildError, EngineError
from leoflow_builder.inspection.choice import find_image
from leoflow_builder.inspection.enginesource import open_in_engine
from leoflow_builder.inspection.failure import ImageNotFound
from leoflow_builder.inspection.layout import INDEX
from leoflow_builder.inspection.place import PREFIXES, Place, open_image, places
from leoflow_builder.inspection.place import Doors as PlaceDoors
from leoflow_builder.oci.engine_images import EngineImages, open_images
from leoflow_builder.ownimage.keeping import KeptImage, keep_found, keep_pulled, kept_image
from leoflow_builder.registry.failure import RegistryError
from leoflow_builder.registry.reference import Reference, parse_reference

if TYPE_CHECKING:
    from leoflow_builder.registry.client import Registry

Say = Callable[[str], None]
_ARCHIVES = (".tar", ".tar.gz", ".tgz")
_SPOKEN = {"disk": "on this disk", "engine": "in the engine", "registry": "in the registry"}


@dataclass(frozen=True)
class Wanted:
    """An image that a project names. ``key`` is the one of leoflow.yaml, ``text`` its value, which
    paths in it count from ``folder``. ``pinned`` is the digest to use, and with ``strict`` no
    other one. ``platform`` is as in "linux/amd64"."""

    key: str
    text: str
    folder: Path
    platform: str
    pinned: str | None = None
    strict: bool = False

    @property
    def spoken(self) -> str:
        """How messages name it."""
        return f"{self.key} '{self.text}'"


@dataclass(frozen=True)
class Found:
    """An image that was found. ``engine_id`` is what the engine calls it, where it comes from
    there; ``name`` is its reference, None if that means another image or no reference."""

    kept: KeptImage
    engine_id: str | None = None
    name: str | None = None


@dataclass(frozen=True)
class Doors:
    """The ways to an engine and to a registry; tests give others."""

    images: Callable[[], EngineImages] = open_images
    registry: Callable[[str], AbstractContextManager[Registry]] | None = None

    def open_registry(self, host: str) -> AbstractContextManager[Registry]:
        """Return the way to a registry; its client is imported now."""
        from leoflow_builder.registry.client import Registry

        return (self.registry or Registry)(host)


class ImageFinder:
    """Finds images for one LEOFLOW_HOME."""

    def __init__(self, home: Path, say: Say, doors: Doors | None = None) -> None:
        self._home = home
        self._say = say
        self._doors = doors or Doors()

    def find(self, wanted: Wanted) -> Found:
        """Return the pinned image, else the one that the text means now.

        A pinned one that is in the cache takes no registry. ImageNotFound says where it was looked
        for; BuildError if a pinned one is nowhere, and no other may be taken.
        """
        pinned = kept_image(wanted.pinned, self._home) if wanted.pinned else None
        if pinned is not None:
            return self._still(pinned, wanted)
        found = self._first(wanted)
        if wanted.pinned in (None, found.kept.digest):
            return found
        gone = (
            f"{wanted.spoken} is pinned to '{wanted.pinned}' in leoflow.lock, which is nowhere any "
            f"more; it means '{found.kept.digest}' now"
        )
        if wanted.strict:
            raise BuildError(f"{gone}. Take that one with `leoflow lock --upgrade`")
        self._say(f"{gone}, and that one is taken")
        return found

    def _still(self, pinned: KeptImage, wanted: Wanted) -> Found:
        """Return the pinned image; say so if the text means another one now."""
        for place in self._places(wanted):
            try:
                now = None if place.kind == "registry" else self._look(place, wanted)
            except (BuildError, OSError):
                now = None  # it is not needed
            if now is not None and now.kept.digest == pinned.digest:
                return now
            if now is not None:
                self._tell_moved(wanted, now.kept.digest, pinned.digest)
                return Found(pinned)
        return Found(pinned, name=_name(wanted.text))

    def _tell_moved(self, wanted: Wanted, now: str, pinned: str) -> None:
        self._say(
            f"{wanted.spoken} means '{now}' now; the build keeps to '{pinned}', which leoflow.lock "
            "pins. `leoflow lock --upgrade` takes the new one"
        )

    def _first(self, wanted: Wanted) -> Found:
        """Look everywhere for the pinned image; take the first other one if it is nowhere."""
        tried, other = [], None
        for place in self._places(wanted):
            try:
                found = self._look(place, wanted)
            except (EngineError, RegistryError, ImageNotFound) as error:
                tried.append(f"  {_SPOKEN[place.kind]}: {error}")
                continue
            if found is None:
                tried.append(f"  {_SPOKEN[place.kind]}: there is none of that name")
            elif wanted.pinned in (None, found.kept.digest):
                return found
            else:
                other = other or found
        if other is not None:
            return other
        raise ImageNotFound(
            f"{wanted.spoken} is not to be found. Looked for it:\n" + "\n".join(tried)
        )

    def _places(self, wanted: Wanted) -> list[Place]:
        text = absolute(wanted.text, wanted.folder)
        if any(text.startswith(prefix) for prefix in PREFIXES):
            return places(text, lambda path: Path(path).exists())
        return [Place("engine", text), Place("registry", text)]

    def _look(self, place: Place, wanted: Wanted) -> Found | None:
        if place.kind == "engine":
            return self._in_engine(place.name, wanted)
        if place.kind == "registry":
            return self._in_registry(parse_reference(place.name), wanted)
        with open_image(_disk_text(place), PlaceDoors(self._doors.images)) as opened:
            found = find_image(opened.source, None, opened.tag, wanted.platform)
            return Found(keep_found(opened.source, found, self._home))

    def _in_engine(self, name: str, wanted: Wanted) -> Found | None:
        images = self._doors.images()
        facts = images.find(name)
        if facts is None:
            return None
        known = self._record(images.host, facts.image_id, wanted.platform)
        hold(known)
        kept = self._known(known)
        if kept is None:
            self._say(f"reading {wanted.spoken} from the engine")
            with open_in_engine(images, facts.image_id) as source:
                if source is None:
                    return None
                found = find_image(source, None, None, wanted.platform)
                kept = keep_found(source, found, self._home)
            known.parent.mkdir(parents=True, exist_ok=True)
            known.write_text(json.dumps({"digest": kept.digest}), encoding="utf-8")
        return Found(kept, facts.image_id, _name(name))

    def _in_registry(self, reference: Reference, wanted: Wanted) -> Found | None:
        from leoflow_builder.registry.failure import NotInRegistry
        from leoflow_builder.registry.pull import resolve

        with self._doors.open_registry(reference.host) as registry:
            if wanted.pinned:
                try:
                    kept = self._pull(registry, reference.at(wanted.pinned), wanted)
                except NotInRegistry:
                    pass
                else:
                    return self._compared(registry, reference, kept, wanted)
            now = resolve(registry, reference, wanted.platform).digest
            kept = kept_image(now, self._home) or self._pull(registry, reference.at(now), wanted)
        return Found(kept, name=_name(str(reference)))

    def _compared(
        self, registry: Registry, reference: Reference, kept: KeptImage, wanted: Wanted
    ) -> Found:
        from leoflow_builder.registry.pull import resolve

        now = resolve(registry, reference, wanted.platform).digest
        if now == kept.digest:
            return Found(kept, name=_name(str(reference)))
        self._tell_moved(wanted, now, kept.digest)
        return Found(kept)

    def _pull(self, registry: Registry, reference: Reference, wanted: Wanted) -> KeptImage:
        self._say(f"pulling {wanted.spoken}")
        return keep_pulled(registry, reference, wanted.platform, self._home)

    def _record(self, host: str, image_id: str, platform: str) -> Path:
        """Return where is kept which image an engine's id means: saving it again takes long."""
        key = make_key([host, image_id, platform])
        return self._home.absolute() / "cache" / "images-of-engines" / f"{key}.json"

    def _known(self, record: Path) -> KeptImage | None:
        try:
            return kept_image(str(json.loads(record.read_bytes())["digest"]), self._home)
        except (OSError, ValueError, KeyError):
            return None


def absolute(text: str, folder: Path) -> str:
    """Return what a project wrote, with a path of it from the root.

    A folder without "./" in front is a path only if it holds a layout: else "python:3.11" would
    mean a folder of the project that happens to be called python.
    """
    for prefix in ("oci-archive:", "docker-archive:", "oci:"):
        if text.startswith(prefix):
            return prefix + str(folder / Path(text.removeprefix(prefix)).expanduser())
    looks_like = text.startswith(("/", "./", "../", "~")) or text.endswith(_ARCHIVES)
    holds_layout = any((folder / one / INDEX).is_file() for one in (text, text.partition(":")[0]))
    if looks_like or holds_layout:
        return f"oci:{folder / Path(text).expanduser()}"
    return text


def _disk_text(place: Place) -> str:
    return f"oci:{place.name}" + (f":{place.tag}" if place.tag else "")


def _name(text: str) -> str | None:
    """Return a reference with its tag; None for a digest, by which nothing can be named."""
    try:
        reference = parse_reference(text)
    except RegistryError:
        return None
    return None if reference.digest else str(reference)
