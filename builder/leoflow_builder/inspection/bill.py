"""The SBOM of an image: the one that is kept beside it, else one that is made of its lock."""

from __future__ import annotations

import json
from dataclasses import dataclass

from leoflow_builder.debpackage import DebPackage
from leoflow_builder.inspection.attested import predicates
from leoflow_builder.inspection.choice import find_image
from leoflow_builder.inspection.document import Document
from leoflow_builder.inspection.failure import InspectionError
from leoflow_builder.inspection.source import ImageSource
from leoflow_builder.inspection.view import ImageView, see_image
from leoflow_builder.lock import LockedPackage
from leoflow_builder.supply.contents import ImageContents
from leoflow_builder.supply.sbom import PREDICATE_TYPE, make_sbom


class NoBill(InspectionError):
    """Nothing tells what is in an image."""


@dataclass(frozen=True)
class Bill:
    """An SBOM in CycloneDX; ``attested`` tells whether it was made by the image's builder."""

    document: Document
    attested: bool


def bill_of(source: ImageSource, platform: str | None = None, tag: str | None = None) -> Bill:
    """Return the SBOM of an image; NoBill if there is none and no lock to make one of."""
    found = find_image(source, platform, tag)
    attested = predicates(source, found.attestations, PREDICATE_TYPE)
    if attested:
        return Bill(attested[0], attested=True)
    view = see_image(source, source.name, platform, tag).view
    if view.dag is None or not view.locked:
        raise NoBill(
            f"{source.name} has no SBOM beside it and no leoflow.lock in it to make one of. Build "
            "it with leoflow, or let a scanner such as syft look into it"
        )
    return Bill(json.loads(make_sbom(_contents(view))), attested=False)


def _contents(view: ImageView) -> ImageContents:
    assert view.dag is not None
    wheels = [one for one in view.packages if one.origin == "pypi"]
    debs = [one for one in view.packages if one.origin == "debian"]
    return ImageContents(
        title=view.dag.dag_id,
        spec_digest=view.dag.spec_digest,
        platform=view.platform,
        leoflow_version=None,
        python_version=view.dag.python_version,
        wheels=tuple(LockedPackage(w.name, w.version, w.filename, w.sha256) for w in wheels),
        debs=tuple(DebPackage(d.name, d.version, d.architecture, d.sha256) for d in debs),
        suite=view.suite,
    )
