"""The builder that lets a Docker engine's BuildKit put the layers together.

It decides nothing about an image: the plan has it all.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from leoflow_builder.builder import Blob, BuiltImage, Say
from leoflow_builder.dockerfile import build_arguments, render_dockerfile
from leoflow_builder.engine import BuildOrder, Engine
from leoflow_builder.layer import Layer
from leoflow_builder.layertar import LAYER_TIME
from leoflow_builder.plan import ImagePlan
from leoflow_builder.scratch import scratch_folder

NO_DIGEST = (
    "the engine has the classic image store, which keeps no manifests; "
    "its containerd image store does"
)


class BuildkitBuilder:
    """Builds with `docker buildx`; ``work`` is a folder on the same disk as the layers."""

    name = "buildkit"

    def __init__(self, engine: Engine, work: Path) -> None:
        self._engine = engine
        self._work = work

    def find(self, image: BuiltImage, tag: str) -> bool:
        """See `Builder`."""
        if self._engine.image_id(tag) == image.image_id:
            return True
        if self._engine.image_id(image.image_id) != image.image_id:
            return False
        self._engine.tag(image.image_id, tag)
        return True

    def build(self, plan: ImagePlan, layers: Sequence[Layer], tag: str, say: Say) -> BuiltImage:
        """See `Builder`."""
        self._work.mkdir(parents=True, exist_ok=True)
        with scratch_folder("context-", self._work) as folder:
            order = _order(plan, layers, tag, folder)
            image_id = self._engine.build(order, say)
        return self._describe(image_id)

    def _describe(self, image_id: str) -> BuiltImage:
        if not self._engine.stores_manifests():
            return BuiltImage(image_id, None, NO_DIGEST, None)
        with scratch_folder("manifest-", self._work) as folder:
            manifest = self._engine.manifest(image_id, folder)
        blobs = tuple(Blob(one["digest"], one["size"]) for one in manifest["layers"])
        return BuiltImage(image_id, image_id, None, blobs)


def _order(plan: ImagePlan, layers: Sequence[Layer], tag: str, folder: Path) -> BuildOrder:
    context = folder / "layers"
    context.mkdir()
    for layer in layers:
        _link(layer.blob, context / f"{layer.name}.tar.zst")
    text = render_dockerfile(plan)
    dockerfile = folder / f"Dockerfile.{hashlib.sha256(text.encode()).hexdigest()[:8]}"
    dockerfile.write_text(text, encoding="utf-8")
    arguments = {"SOURCE_DATE_EPOCH": str(LAYER_TIME), **build_arguments(plan)}
    return BuildOrder(context, dockerfile, tag, plan.platform, arguments)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
