"""Chooses what makes an image and where it goes, by what the user asked for.

Modules that take long to import are imported for the choice that needs them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from leoflow_builder.builder import Builder
from leoflow_builder.destination import Destination
from leoflow_builder.failure import BuildError
from leoflow_builder.ocibuilder import OciBuilder

if TYPE_CHECKING:
    from leoflow_builder.build import Options


@dataclass(frozen=True)
class Tools:
    """A builder and the place that its image is for."""

    builder: Builder
    destination: Destination


def choose_tools(options: Options, home: Path) -> Tools:
    """Return the tools for a build; BuildError if what was asked for does not go together."""
    return Tools(_builder(options.builder, home), _destination(options, home))


def _builder(name: str, home: Path) -> Builder:
    if name == OciBuilder.name:
        return OciBuilder()
    from leoflow_builder.buildkit import BuildkitBuilder
    from leoflow_builder.engine import WhalesEngine

    return BuildkitBuilder(WhalesEngine(), home.absolute() / "cache" / "builds")


def _destination(options: Options, home: Path) -> Destination:
    if options.push and options.output is not None:
        raise BuildError("--push and --output exclude each other. Build twice: it costs no time")
    if options.push:
        return _registry(options.tag)
    if options.output is not None:
        from leoflow_builder.oci.files import ArchiveFile, LayoutFolder

        is_file = options.output.suffix == ".tar"
        return ArchiveFile(options.output) if is_file else LayoutFolder(options.output)
    from leoflow_builder.oci.engine_images import open_images
    from leoflow_builder.oci.engine_store import EngineStore

    return EngineStore(open_images(), home.absolute() / "cache" / "engines")


def _registry(tag: str | None) -> Destination:
    if tag is None:
        raise BuildError("--push needs to know where to. Add --tag HOST/REPOSITORY:TAG")
    from leoflow_builder.registry.destination import RegistryDestination
    from leoflow_builder.registry.reference import parse_reference

    return RegistryDestination(parse_reference(tag))
