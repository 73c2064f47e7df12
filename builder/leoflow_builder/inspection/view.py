"""Everything that is to be seen of an image, as one value. It prints nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from leoflow_builder.inspection.attested import predicate_types
from leoflow_builder.inspection.choice import FoundImage, find_image
from leoflow_builder.inspection.document import Config
from leoflow_builder.inspection.insides import (
    DAG_PATH,
    LOCK_PATH,
    RELEASE_PATHS,
    DagView,
    PackageView,
    installed_packages,
    read_dag,
    read_packages,
    read_suite,
)
from leoflow_builder.inspection.layerfiles import LayerFiles, read_layer
from leoflow_builder.inspection.source import ImageSource
from leoflow_builder.recipe import system_rules

# BuildKit's words for a layer of leoflow's, and leoflow's own.
_MADE = re.compile(r"leoflow: (\w+)|ADD (?:--link )?(\w+)\.tar(?:\.zst)? /")
_LICENCES = "usr/share/doc"
_NAMES = ("base", "system", "agent", "deps", "dag")
Layers = MutableMapping[str, LayerFiles]


@dataclass(frozen=True)
class LayerView:
    """A layer, from the bottom up; ``name`` is None for one that leoflow did not make."""

    name: str | None
    digest: str
    diff_id: str
    media_type: str
    size_bytes: int
    unpacked_bytes: int
    files: int


@dataclass(frozen=True)
class ImageView:
    """An image of one platform, read whole and verified.

    ``packages`` are those of the lock in it or, if ``locked`` is false, those that are installed.
    ``suite`` is the release of Debian that it stands on, and ``attestations`` are the
    types of what is said about the image beside it.
    """

    name: str
    digest: str
    platform: str
    created: str | None
    annotations: Mapping[str, str]
    index_annotations: Mapping[str, str]
    config: Config
    layers: tuple[LayerView, ...]
    dag: DagView | None
    locked: bool
    packages: tuple[PackageView, ...]
    suite: str | None
    attestations: tuple[str, ...]

    @property
    def compressed_bytes(self) -> int:
        """The sizes of all layers as they are kept."""
        return sum(layer.size_bytes for layer in self.layers)

    @property
    def unpacked_bytes(self) -> int:
        """The sizes of all files in all layers."""
        return sum(layer.unpacked_bytes for layer in self.layers)

    def as_json(self) -> dict[str, Any]:
        """Return what `leoflow inspect --json` prints."""
        document = asdict(self)
        config = document.pop("config")
        names = ("entrypoint", "command", "user", "working_folder", "environment", "labels")
        sizes = {
            "compressed_bytes": self.compressed_bytes,
            "unpacked_bytes": self.unpacked_bytes,
        }
        return {**document, **{name: config[name] for name in names}, **sizes}


@dataclass(frozen=True)
class SeenImage:
    """A view, with what it was made of; ``files`` are those of the view's layers."""

    view: ImageView
    found: FoundImage
    files: tuple[LayerFiles, ...]


def see_image(
    source: ImageSource,
    name: str,
    platform: str | None = None,
    tag: str | None = None,
    known: Layers | None = None,
) -> SeenImage:
    """Read an image whole. ``known`` holds layers by digest that need not be read again, and gets
    those that were read."""
    found = find_image(source, platform, tag)
    files = _read_layers(source, found, {} if known is None else known)
    documents = _documents(files)
    paths = {path for layer in files for path in layer.entries}
    # Of each package in an image, its licence is in there.
    absent = [one for one in system_rules().shell_packages if f"{_LICENCES}/{one}" not in paths]
    packages = read_packages(documents.get(LOCK_PATH, b""), found.platform, absent)
    installed = installed_packages(paths)
    view = ImageView(
        name=name,
        digest=found.digest,
        platform=found.platform,
        created=found.config.created,
        annotations=found.manifest.annotations,
        index_annotations=found.index_annotations,
        config=found.config,
        layers=_layer_views(found, files),
        dag=read_dag(documents.get(DAG_PATH, b"")),
        locked=packages is not None,
        packages=installed if packages is None else packages,
        suite=_suite(documents),
        attestations=predicate_types(source, found.attestations),
    )
    return SeenImage(view, found, files)


def _read_layers(source: ImageSource, found: FoundImage, known: Layers) -> tuple[LayerFiles, ...]:
    wanted = {DAG_PATH, LOCK_PATH, *RELEASE_PATHS}
    for layer, diff_id in zip(found.manifest.layers, found.config.diff_ids, strict=True):
        if layer.digest not in known:
            known[layer.digest] = read_layer(source, layer, diff_id, wanted)
    return tuple(known[layer.digest] for layer in found.manifest.layers)


def _documents(files: Sequence[LayerFiles]) -> Mapping[str, bytes]:
    """Return the documents that a container sees: those of upper layers hide others."""
    return {path: content for layer in files for path, content in layer.documents.items()}


def _suite(documents: Mapping[str, bytes]) -> str | None:
    named = (read_suite(documents.get(path, b"")) for path in RELEASE_PATHS)
    return next((suite for suite in named if suite), None)


def _layer_views(found: FoundImage, files: Sequence[LayerFiles]) -> tuple[LayerView, ...]:
    config = found.config
    views = zip(layer_names(config), found.manifest.layers, config.diff_ids, files, strict=True)
    return tuple(
        LayerView(
            name,
            layer.digest,
            diff_id,
            layer.media_type,
            layer.size_bytes,
            content.unpacked_bytes,
            sum(entry.kind != "folder" for entry in content.entries.values()),
        )
        for name, layer, diff_id, content in views
    )


def layer_names(config: Config) -> list[str | None]:
    """Return leoflow's name of each layer, where its history tells one."""
    made = [one.created_by for one in config.history if not one.empty]
    if len(made) != len(config.diff_ids):
        return [None] * len(config.diff_ids)
    return [_layer_name(created_by) for created_by in made]


def _layer_name(created_by: str) -> str | None:
    match = _MADE.match(created_by)
    name = match and (match[1] or match[2])
    return name if name in _NAMES else None
