"""Images of a few bytes, for the tests of what is done with images."""

from __future__ import annotations

from pathlib import Path

from leoflow_builder.layer import Layer, LayerName
from leoflow_builder.layerblob import pack_layer
from leoflow_builder.oci.image import NOTHING, BelowImage, OciImage, make_image
from leoflow_builder.plan import ImagePlan


def make_plan(platform: str = "linux/amd64", **labels: str) -> ImagePlan:
    return ImagePlan(
        platform=platform,
        base_reference=None,
        layers=(),
        environment=(("PATH", "/usr/bin"), ("TEXT", "two\nlines")),
        user="65532:65532",
        entrypoint=("/usr/bin/python3.11", "-I"),
        labels=tuple(sorted(labels.items())),
        annotations=(("org.opencontainers.image.title", "sample"),),
    )


def make_layer(folder: Path, name: LayerName, content: str) -> Layer:
    """Return a layer with one file, packed below ``folder``."""
    tree = folder / f"{name}-{content}"
    tree.mkdir(parents=True)
    (tree / f"{name}.txt").write_text(content)
    packed = pack_layer(tree, folder / f"{name}-{content}.tar.zst")
    return Layer(
        name,
        folder / f"{name}-{content}.tar.zst",
        packed.diff_id,
        packed.digest,
        packed.size_bytes,
        len(content),
        False,
    )


def make_sample(
    folder: Path,
    base: str = "base",
    dag: str = "dag",
    platform: str = "linux/amd64",
    below: BelowImage = NOTHING,
) -> OciImage:
    """Return an image of two layers, whose contents are two texts."""
    place = folder / f"{base}-{dag}-{platform.replace('/', '-')}"
    layers = [make_layer(place, "base", base), make_layer(place, "dag", dag)]
    return make_image(make_plan(platform), layers, below)
