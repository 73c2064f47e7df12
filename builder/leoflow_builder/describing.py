"""Gathers what is told of built images beyond themselves: SBOM, provenance, where they are from."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from leoflow_builder.assemble import Assembly
from leoflow_builder.builder import Describe
from leoflow_builder.dagjson import dump_dag
from leoflow_builder.memo import Memo
from leoflow_builder.oci.image import OciImage
from leoflow_builder.oci.layout import Bundle
from leoflow_builder.part import Part
from leoflow_builder.plan import spec_digest
from leoflow_builder.recipe import load_recipe
from leoflow_builder.supply.annotation import created_time, index_annotations
from leoflow_builder.supply.contents import ImageContents, OwnBaseImage
from leoflow_builder.supply.describe import describe_image
from leoflow_builder.supply.gitsource import git_source
from leoflow_builder.supply.provenance import BuildRun
from leoflow_builder.supply.statement import Subject


def describer(assembly: Assembly, builder: str, memo: Memo) -> Describe:
    """Return what makes a bundle of built images, in the order of the assembly's parts."""

    def describe(name: str, images: Sequence[OciImage]) -> Bundle:
        source = git_source(assembly.project.folder)
        created = created_time(os.environ)
        spec = assembly.spec
        about = index_annotations(spec.dag_id, _spec_digest(assembly), created, source)
        options = {"tag": assembly.tag, "platform": assembly.platform}
        attestations = []
        for part, image in zip(assembly.parts, images, strict=True):
            base = part.environment.footing.base
            run = BuildRun(builder, options, base=base.digest if base else None, source=source)
            subject = Subject(name, image.manifest.digest)
            contents = image_contents(assembly, part)
            attestations.append(describe_image(subject, contents, run, created, memo))
        return Bundle(name, tuple(images), tuple(attestations), about)

    return describe


def image_contents(assembly: Assembly, part: Part) -> ImageContents:
    """Return all that has a name and a version in the image of one platform."""
    footing = part.environment.footing
    own = footing.own
    return ImageContents(
        title=assembly.spec.dag_id,
        spec_digest=_spec_digest(assembly),
        platform=part.planned.plan.platform,
        leoflow_version=_leoflow_version(),
        python_version=footing.target.python_version,
        wheels=part.environment.packages,
        debs=part.debs,
        suite=_suite(part),
        own_base=OwnBaseImage(own.reference, own.digest) if own else None,
    )


def _spec_digest(assembly: Assembly) -> str:
    return spec_digest(dump_dag(assembly.spec))


def _suite(part: Part) -> str | None:
    target = part.environment.footing.target
    if part.environment.footing.made is None:
        return None
    return load_recipe(target.python_minor, target.architecture).suite


def _leoflow_version() -> str | None:
    try:
        return version("leoflow")
    except PackageNotFoundError:
        return None


def site_folder(assembly: Assembly) -> Path | None:
    """Return the folder on this host with the packages of the image, or None without any."""
    paths = assembly.native.site_path
    return paths[0] if paths else None
