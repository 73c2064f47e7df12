"""What is told of images of leoflow itself beside them, as of DAGs' images: SBOM, provenance."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from leoflow_builder.builder import Describe, PlannedImage
from leoflow_builder.memo import FORGETFUL
from leoflow_builder.oci.image import OciImage
from leoflow_builder.oci.layout import Bundle
from leoflow_builder.prepare import Environment
from leoflow_builder.recipe import load_recipe
from leoflow_builder.supply.annotation import created_time
from leoflow_builder.supply.contents import ImageContents
from leoflow_builder.supply.describe import describe_image
from leoflow_builder.supply.provenance import BuildRun, Option
from leoflow_builder.supply.statement import Subject
from leoflow_builder.systemimage.ownplan import AGENT_TITLE, SERVER_TITLE

if TYPE_CHECKING:
    from leoflow_builder.baseimage import BaseImage


@dataclass(frozen=True)
class OwnPart:
    """The image of one platform and what is in it. ``base``: the digest of the base's recipe."""

    planned: PlannedImage
    contents: ImageContents
    base: str | None = None


def server_contents(environment: Environment, version: str) -> ImageContents:
    """Return all that has a name and a version in the control plane's image."""
    footing = environment.footing
    made, target = footing.made, footing.target
    return ImageContents(
        title=SERVER_TITLE,
        spec_digest=None,
        platform=target.platform,
        leoflow_version=version,
        python_version=target.python_version,
        wheels=environment.packages,
        debs=() if made is None else tuple(sorted(made.packages)),
        suite=None if made is None else _suite(target.python_minor, target.architecture),
    )


def agent_contents(
    base: BaseImage | None, python_minor: str, platform: str, version: str
) -> ImageContents:
    """Return all that has a name and a version in the image of agents; without ``base`` there is
    nothing but leoflow in it, whose Python is whatever it is mounted into."""
    return ImageContents(
        title=AGENT_TITLE,
        spec_digest=None,
        platform=platform,
        leoflow_version=version,
        python_version="any" if base is None else base.python_version,
        debs=() if base is None else tuple(sorted(base.packages)),
        suite=None if base is None else _suite(python_minor, base.architecture),
    )


def own_describer(
    parts: Sequence[OwnPart], builder: str, options: Mapping[str, Option]
) -> Describe:
    """Return what makes a bundle of built images, in the order of ``parts``."""

    def describe(name: str, images: Sequence[OciImage]) -> Bundle:
        created = created_time(os.environ)
        attestations = []
        for part, image in zip(parts, images, strict=True):
            run = BuildRun(builder, options, base=part.base)
            subject = Subject(name, image.manifest.digest)
            attestations.append(describe_image(subject, part.contents, run, created, FORGETFUL))
        about = dict(parts[0].planned.plan.annotations)
        return Bundle(name, tuple(images), tuple(attestations), about)

    return describe


def _suite(python_minor: str, architecture: str) -> str:
    return load_recipe(python_minor, architecture).suite
