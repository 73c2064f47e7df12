"""Where an image is that somebody named: on the disk, in the engine, in a registry. In this order.

Prefixes are those of skopeo and podman (containers-transports(5)): they leave one place over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from leoflow_builder.failure import EngineError
from leoflow_builder.inspection.archive import open_archive
from leoflow_builder.inspection.enginesource import SavingEngine, open_in_engine
from leoflow_builder.inspection.failure import ImageNotFound
from leoflow_builder.inspection.layout import LayoutFolder
from leoflow_builder.inspection.registrysource import open_in_registry
from leoflow_builder.inspection.source import ImageSource
from leoflow_builder.registry.failure import RegistryError

Kind = Literal["disk", "engine", "registry"]
PREFIXES: dict[str, Kind] = {
    "docker://": "registry",
    "docker-daemon:": "engine",
    "docker-archive:": "disk",
    "oci-archive:": "disk",
    "oci:": "disk",
}
_SPOKEN: dict[Kind, str] = {
    "disk": "this folder",
    "engine": "the container engine",
    "registry": "the registry",
}


@dataclass(frozen=True)
class Place:
    """One way to understand what was typed. ``tag`` names one of a layout's images."""

    kind: Kind
    name: str
    tag: str | None = None


@dataclass(frozen=True)
class Opened:
    """A source, and which of its images is meant."""

    source: ImageSource
    tag: str | None = None


@dataclass(frozen=True)
class Doors:
    """The ways to an engine and to a registry; tests give others."""

    engine: Callable[[], SavingEngine]
    registry: Callable[[str], AbstractContextManager[ImageSource]] = open_in_registry


def places(text: str, exists: Callable[[str], bool]) -> list[Place]:
    """Return where to look for an image, in order. Pure: ``exists`` tells of paths."""
    for prefix, kind in PREFIXES.items():
        if text.startswith(prefix):
            rest = text.removeprefix(prefix)
            return [_on_disk(rest, exists) if kind == "disk" else Place(kind, rest)]
    on_disk = _on_disk(text, exists)
    if exists(on_disk.name) or _is_path(text):
        return [on_disk]
    return [Place("engine", text), Place("registry", text)]


def _on_disk(text: str, exists: Callable[[str], bool]) -> Place:
    path, colon, tag = text.partition(":")
    if not exists(text) and colon and exists(path):
        return Place("disk", path, tag)
    return Place("disk", text)


def _is_path(text: str) -> bool:
    return text.startswith(("/", "./", "../", "~")) or text.endswith((".tar", ".tar.gz", ".tgz"))


@contextmanager
def open_image(text: str, doors: Doors) -> Iterator[Opened]:
    """Give the image that a text names; ImageNotFound says where it was looked for."""
    with ExitStack() as stack:
        yield _first(text, doors, stack)


def _first(text: str, doors: Doors, stack: ExitStack) -> Opened:
    tried = []
    for place in places(text, lambda path: Path(path).exists()):
        try:
            source = stack.enter_context(_open(place, doors))
        except (EngineError, RegistryError) as error:
            tried.append(f"  in {_SPOKEN[place.kind]}: {error}")
            continue
        if source is not None:
            return Opened(source, place.tag)
        tried.append(f"  in {_SPOKEN[place.kind]}: there is none of that name")
    raise ImageNotFound(
        f"there is no image '{text}'. Check the name. Looked for it:\n" + "\n".join(tried)
    )


@contextmanager
def _open(place: Place, doors: Doors) -> Iterator[ImageSource | None]:
    if place.kind == "engine":
        with open_in_engine(doors.engine(), place.name) as found:
            yield found
    elif place.kind == "registry":
        with doors.registry(place.name) as source:
            yield source
    else:
        yield _open_path(Path(place.name).expanduser())


def _open_path(path: Path) -> ImageSource:
    if path.is_dir():
        return LayoutFolder(path)
    if path.is_file():
        return open_archive(path)
    raise ImageNotFound(f"there is no file or folder '{path}'. Check the path")
