"""Chooses what makes an image and where it goes, by what the user asked for.

Modules that take long to import are imported for the choice that needs them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from leoflow_builder.ocibuilder import OciBuilder
from leoflow_builder.wish import BuildWish

if TYPE_CHECKING:
    from leoflow_builder.builder import Builder
    from leoflow_builder.destination import Destination

Progress = Callable[[str, int, int], None]


def show_nothing(what: str, done_bytes: int, total_bytes: int) -> None:
    """Ignore progress."""


@dataclass(frozen=True)
class Tools:
    """A builder and the place that its image is for."""

    builder: Builder
    destination: Destination


def choose_tools(wish: BuildWish, home: Path, progress: Progress = show_nothing) -> Tools:
    """Return the tools for a build, of which `check_wish` has said that it goes together.

    ``progress`` is told of transfers: what, the bytes done, and all.
    """
    return Tools(_builder(wish.builder, home), _destination(wish, home, progress))


def _builder(name: str, home: Path) -> Builder:
    if name == OciBuilder.name:
        return OciBuilder()
    from leoflow_builder.buildkit import BuildkitBuilder
    from leoflow_builder.engine import WhalesEngine

    return BuildkitBuilder(WhalesEngine(), home.absolute() / "cache" / "builds")


def _destination(wish: BuildWish, home: Path, progress: Progress) -> Destination:
    if wish.push and wish.tag is not None:
        return _registry(wish.tag, home, progress)
    if wish.output is not None:
        from leoflow_builder.oci.files import ArchiveFile, LayoutFolder

        is_file = wish.output.suffix == ".tar"
        return ArchiveFile(wish.output) if is_file else LayoutFolder(wish.output)
    from leoflow_builder.oci.engine_images import open_images
    from leoflow_builder.oci.engine_store import EngineStore

    return EngineStore(open_images(), home.absolute() / "cache" / "engines")


def _registry(tag: str, home: Path, progress: Progress) -> Destination:
    from leoflow_builder.registry.destination import RegistryDestination
    from leoflow_builder.registry.reference import parse_reference

    memory = home.absolute() / "cache" / "registries"
    return RegistryDestination(parse_reference(tag), progress, memory)
