"""The builder that lets a Docker engine's BuildKit put the layers together.

It decides nothing about an image: the plan has it all.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from leoflow_builder.builder import Blob, BuiltImage, Describe, PlannedImage, bare_bundle
from leoflow_builder.destination import Destination, Say
from leoflow_builder.dockerfile import STACK, build_arguments, render_dockerfile
from leoflow_builder.engine import BuildOrder, Engine
from leoflow_builder.layerblob import write_plain
from leoflow_builder.oci.content import Content
from leoflow_builder.oci.image import OciImage, layer_content, stack_layers
from leoflow_builder.oci.layout import (
    Bundle,
    copy_content,
    make_archive,
    read_image,
    write_folder,
)
from leoflow_builder.ocibuilder import deliver
from leoflow_builder.scratch import scratch_folder

NO_DIGEST = (
    "the engine has the classic image store, which keeps no manifests; "
    "its containerd image store does, and so does `--builder oci`"
)


class BuildkitBuilder:
    """Builds with `docker buildx`; ``work`` is a folder on the same disk as the layers."""

    name = "buildkit"

    def __init__(self, engine: Engine, work: Path) -> None:
        self._engine = engine
        self._work = work

    def build(
        self,
        images: Sequence[PlannedImage],
        name: str,
        destination: Destination,
        say: Say,
        describe: Describe = bare_bundle,
    ) -> BuiltImage:
        """See `Builder`."""
        self._work.mkdir(parents=True, exist_ok=True)
        with scratch_folder("context-", self._work) as folder:
            if destination.is_engine:
                (image,) = images
                return self._into_engine(image, name, folder, say)
            made = [self._export(one, name, folder / f"{n}", say) for n, one in enumerate(images)]
            return deliver(describe(name, made), destination, say)

    def _into_engine(self, image: PlannedImage, name: str, folder: Path, say: Say) -> BuiltImage:
        stacked = self._engine.stores_manifests()
        if not stacked:
            self._require_below(image)
        image_id = self._engine.build(_order(image, name, folder, stacked), say)
        if not stacked:
            return BuiltImage(image_id, None, NO_DIGEST, None)
        layers = stack_layers(image.plan, image.layers, image.below).layers
        blobs = tuple(Blob(one.digest, one.size_bytes) for one in layers)
        return BuiltImage(image_id, image_id, None, blobs)

    def _require_below(self, image: PlannedImage) -> None:
        """Load the image that a classic store has to have before it can be built on."""
        name = image.plan.base_reference
        if name is not None and image.below.layers and self._engine.image_id(name) is None:
            below = stack_layers(image.plan, (), image.below)
            self._engine.load(make_archive(Bundle(name, (below,))))

    def _export(self, image: PlannedImage, name: str, folder: Path, say: Say) -> OciImage:
        folder.mkdir()
        exported = folder / "exported"
        self._engine.export(_order(image, name, folder, stacked=True), exported, say)
        return read_image(exported, image.plan.platform)


def _order(image: PlannedImage, tag: str, folder: Path, stacked: bool) -> BuildOrder:
    plan, context = image.plan, folder / "layers"
    context.mkdir()
    contexts: Mapping[str, str] = {}
    if stacked:
        contexts = {STACK: _write_stack(image, folder / "stack")}
    else:
        for layer in image.layers:
            # Engines have crashed while they unpacked an archive of zstd's.
            blob = layer_content(layer).checked_file(layer.blob)
            write_plain(blob, context / f"{layer.name}.tar")
    text = render_dockerfile(plan, stacked)
    dockerfile = folder / f"Dockerfile.{hashlib.sha256(text.encode()).hexdigest()[:8]}"
    dockerfile.write_text(text, encoding="utf-8")
    arguments = {"SOURCE_DATE_EPOCH": str(plan.created), **build_arguments(plan)}
    annotations = dict(plan.annotations)
    return BuildOrder(context, dockerfile, tag, plan.platform, arguments, contexts, annotations)


def _write_stack(image: PlannedImage, folder: Path) -> str:
    stack = stack_layers(image.plan, image.layers, image.below)
    write_folder(Bundle(f"{STACK}:latest", (stack,)), folder, _link)
    return f"oci-layout://{folder}@{stack.manifest.digest}"


def _link(content: Content, target: Path) -> None:
    source = content.source
    if isinstance(source, Path):
        with suppress(OSError):
            os.link(content.checked_file(source), target)
            return
    copy_content(content, target)
