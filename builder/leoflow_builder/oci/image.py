"""Makes manifest and configuration of an image out of its plan. Pure: same plan, same bytes.

It writes nothing; where an image goes is a destination's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from leoflow_builder.layer import Layer
from leoflow_builder.layerblob import MEDIA_TYPE
from leoflow_builder.oci.content import CONFIG, Content, Json, json_content
from leoflow_builder.oci.presence import INDEX, MANIFEST
from leoflow_builder.plan import ImagePlan
from leoflow_builder.supply.canonical import rfc3339

WORKING_FOLDER = "/"


@dataclass(frozen=True)
class OciImage:
    """An image for one platform, whole: all that its manifest names is there to be read."""

    platform: str
    manifest: Content
    config: Content
    layers: tuple[Content, ...]
    diff_ids: tuple[str, ...]

    @property
    def blobs(self) -> tuple[Content, ...]:
        """All but the manifest, each once."""
        return tuple({one.digest: one for one in (*self.layers, self.config)}.values())


@dataclass(frozen=True)
class BelowImage:
    """An image that another one stands on: its configuration and its layers as they are."""

    config: Json
    layers: tuple[Content, ...]
    diff_ids: tuple[str, ...]
    history: tuple[Json, ...]


NOTHING = BelowImage({}, (), (), ())


def make_image(plan: ImagePlan, layers: Sequence[Layer], below: BelowImage = NOTHING) -> OciImage:
    """Return the image of a plan; ``layers`` are its layers, which lie on those of ``below``."""
    contents = (*below.layers, *(layer_content(one) for one in layers))
    diff_ids = (*below.diff_ids, *(one.diff_id for one in layers))
    config = json_content(CONFIG, _config(plan, layers, below, diff_ids))
    manifest = json_content(
        MANIFEST,
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": config.descriptor(),
            "layers": [one.descriptor() for one in contents],
            "annotations": dict(plan.annotations),
        },
    )
    return OciImage(plan.platform, manifest, config, contents, diff_ids)


def stack_layers(plan: ImagePlan, layers: Sequence[Layer], below: BelowImage) -> OciImage:
    """Return the layers of a plan as an image that says nothing yet of how it is started."""
    silent = replace(plan, environment=(), entrypoint=(), labels=(), annotations=(), user="")
    return make_image(silent, layers, below)


def layer_content(layer: Layer) -> Content:
    """Return a layer's blob as content."""
    return Content(MEDIA_TYPE, layer.digest, layer.size_bytes, layer.blob)


def platform_fields(platform: str) -> dict[str, str]:
    """Return a platform such as "linux/arm64/v8" as a descriptor holds it."""
    names = ("os", "architecture", "variant")
    return dict(zip(names, platform.split("/"), strict=False))


def image_descriptor(image: OciImage) -> dict[str, object]:
    """Return how an index points at an image."""
    return image.manifest.descriptor(platform=platform_fields(image.platform))


def make_index(manifests: Sequence[Json], annotations: Json) -> Content:
    """Return an index of descriptors of manifests, in the given order."""
    document: dict[str, object] = {"schemaVersion": 2, "mediaType": INDEX}
    document["manifests"] = list(manifests)
    if annotations:
        document["annotations"] = annotations
    return json_content(INDEX, document)


def _config(
    plan: ImagePlan, layers: Sequence[Layer], below: BelowImage, diff_ids: Sequence[str]
) -> Json:
    created = rfc3339(plan.created)
    own = [
        {"created": created, "created_by": f"leoflow: {one.name}", "comment": "leoflow"}
        for one in layers
    ]
    return {
        "created": created,
        **platform_fields(plan.platform),
        "config": _run_config(plan, below.config),
        "rootfs": {"type": "layers", "diff_ids": list(diff_ids)},
        "history": [*below.history, *own],
    }


def _run_config(plan: ImagePlan, below: Json) -> dict[str, object]:
    """Return what a container is started with; what an image below says holds where the plan is
    silent, as with a Dockerfile's FROM."""
    environment = {**_variables(below), **dict(plan.environment)}
    labels = below.get("Labels")
    labels = {**(labels if isinstance(labels, dict) else {}), **dict(plan.labels)}
    kept = {name: value for name, value in below.items() if name not in ("Cmd", "ArgsEscaped")}
    return {
        **kept,
        "User": plan.user,
        "Env": [f"{name}={value}" for name, value in environment.items()],
        "Entrypoint": list(plan.entrypoint),
        "WorkingDir": below.get("WorkingDir") or WORKING_FOLDER,
        "Labels": labels,
    }


def _variables(config: Json) -> dict[str, str]:
    declared = config.get("Env")
    pairs = (str(one).partition("=") for one in declared) if isinstance(declared, list) else ()
    return {name: value for name, _, value in pairs}
