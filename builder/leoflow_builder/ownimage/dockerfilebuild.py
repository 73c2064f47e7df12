"""A Dockerfile of the user's, built once for a Dockerfile and a context by an engine's BuildKit.

The context is the project folder without what its ignore files leave out.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from leoflow_builder.cache import make_key
from leoflow_builder.cachehold import hold
from leoflow_builder.daglayer import content_key
from leoflow_builder.engine import BuildOrder, Engine
from leoflow_builder.inspection.choice import find_image
from leoflow_builder.inspection.enginesource import SavingEngine, open_in_engine
from leoflow_builder.inspection.failure import ImageNotFound
from leoflow_builder.inspection.layout import LayoutFolder
from leoflow_builder.layertar import LAYER_TIME
from leoflow_builder.ownimage.finding import Say
from leoflow_builder.ownimage.keeping import KeptImage, keep_found, kept_image
from leoflow_builder.scratch import scratch_folder
from leoflow_builder.wholefile import write_whole

_FORM = "1"


@dataclass(frozen=True)
class DockerfileOrder:
    """A Dockerfile and its context: ``files`` by their path in the project."""

    dockerfile: Path
    files: Mapping[str, Path]
    platform: str

    @property
    def key(self) -> str:
        """A key that differs if anything does that the build can see."""
        parts = [_FORM, self.platform, content_key(self.dockerfile)]
        for name, path in self.files.items():
            parts += [name, content_key(path)]
        own_ignore = self.dockerfile.with_name(f"{self.dockerfile.name}.dockerignore")
        return make_key([*parts, content_key(own_ignore) if own_ignore.is_file() else ""])


def build_dockerfile(
    order: DockerfileOrder, engine: Engine, images: SavingEngine, home: Path, say: Say
) -> KeptImage:
    """Return the image of a Dockerfile; EngineError with the engine's words if it does not build.

    One that was built of the same files is taken out of the cache and needs no engine.
    """
    record = home.absolute() / "cache" / "dockerfiles" / f"{order.key}.json"
    hold(record)
    known = _known(record, home)
    if known is not None:
        return known
    say(f"building '{order.dockerfile.name}'")
    work = home.absolute() / "cache" / "builds"
    work.mkdir(parents=True, exist_ok=True)
    with scratch_folder("dockerfile-", work) as folder:
        kept = _build(order, engine, images, folder, home, say)
    record.parent.mkdir(parents=True, exist_ok=True)
    write_whole(record, json.dumps({"digest": kept.digest}).encode())
    return kept


def _known(record: Path, home: Path) -> KeptImage | None:
    try:
        return kept_image(str(json.loads(record.read_bytes())["digest"]), home)
    except (OSError, ValueError, KeyError):
        return None


def _build(
    order: DockerfileOrder,
    engine: Engine,
    images: SavingEngine,
    folder: Path,
    home: Path,
    say: Say,
) -> KeptImage:
    asked = _asked(order, folder)
    if engine.stores_manifests():
        engine.export(asked, folder / "exported", say)
        layout = LayoutFolder(folder / "exported")
        return keep_found(layout, find_image(layout, order.platform), home)
    image_id = engine.build(asked, say)
    with open_in_engine(images, image_id) as source:
        if source is None:
            raise ImageNotFound(
                f"the engine built '{asked.tag}' and does not have it now. Build again"
            )
        return keep_found(source, find_image(source, order.platform), home)


def _asked(order: DockerfileOrder, folder: Path) -> BuildOrder:
    context = folder / "context"
    for name, path in order.files.items():
        target = context / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, target, follow_symlinks=False)
    context.mkdir(exist_ok=True)
    # Under a name of its own: buildx keeps what it knows of a context by the Dockerfile's folder.
    text = order.dockerfile.read_bytes()
    dockerfile = folder / f"Dockerfile.{hashlib.sha256(text).hexdigest()[:8]}"
    dockerfile.write_bytes(text)
    own_ignore = order.dockerfile.with_name(f"{order.dockerfile.name}.dockerignore")
    if own_ignore.is_file():
        shutil.copyfile(own_ignore, dockerfile.with_name(f"{dockerfile.name}.dockerignore"))
    arguments = {"SOURCE_DATE_EPOCH": str(LAYER_TIME)}
    tag = f"leoflow/dockerfile:{order.key}"
    return BuildOrder(context, dockerfile, tag, order.platform, arguments)
