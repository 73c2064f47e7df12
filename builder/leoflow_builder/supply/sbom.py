"""The software bill of materials of an image, as CycloneDX 1.6. Pure: same contents, same bytes.

The library that writes it is imported at first use: an unchanged build needs none of it.
https://cyclonedx.org/docs/1.6/json/
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

from leoflow_builder.supply.canonical import canonical_json
from leoflow_builder.supply.contents import (
    ImageContents,
    base_purl,
    deb_purl,
    debian_release,
    leoflow_purl,
    wheel_purl,
)

if TYPE_CHECKING:
    from cyclonedx.model.bom import Bom
    from cyclonedx.model.component import Component

PREDICATE_TYPE = "https://cyclonedx.org/bom"
_NAMESPACE = uuid5(NAMESPACE_URL, "io.leoflow.sbom")


def make_sbom(contents: ImageContents, created: int | None = None) -> bytes:
    """Return a CycloneDX document in JSON.

    ``created`` is in seconds since the epoch; None leaves the time out. The serial number is made
    of all the rest.
    """
    from cyclonedx.output.json import JsonV1Dot6

    document = json.loads(JsonV1Dot6(_bom(contents)).output_as_string())
    # The library fills in what it was not given: the time of day and a random number.
    document.pop("serialNumber", None)
    document["metadata"].pop("timestamp", None)
    if created is not None:
        stamp = datetime.fromtimestamp(created, UTC)
        document["metadata"]["timestamp"] = stamp.isoformat().replace("+00:00", "Z")
    number = uuid5(_NAMESPACE, canonical_json(document).decode())
    return canonical_json({**document, "serialNumber": number.urn})


def _bom(contents: ImageContents) -> Bom:
    from cyclonedx.model.bom import Bom, BomMetaData
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.model.tool import ToolRepository

    tool = Component(
        type=ComponentType.APPLICATION, name="leoflow", version=contents.leoflow_version
    )
    root = _root(contents)
    metadata = BomMetaData(component=root, tools=ToolRepository(components=[tool]))
    parts = list(_parts(contents))
    bom = Bom(components=parts, metadata=metadata)
    bom.register_dependency(root, parts)
    return bom


def _root(contents: ImageContents) -> Component:
    from cyclonedx.model import Property
    from cyclonedx.model.component import Component, ComponentType

    facts = {
        "io.leoflow.dag_id": contents.dag_id,
        "io.leoflow.platform": contents.platform,
        "io.leoflow.python_version": contents.python_version,
        "io.leoflow.spec": contents.spec_digest,
    }
    return Component(
        type=ComponentType.CONTAINER,
        name=contents.dag_id,
        version=contents.spec_digest,
        bom_ref=f"dag:{contents.dag_id}",
        properties=[Property(name=name, value=value) for name, value in facts.items()],
    )


def _parts(contents: ImageContents) -> Iterator[Component]:
    yield _part("leoflow", contents.leoflow_version, leoflow_purl(contents.leoflow_version))
    for wheel in contents.wheels:
        facts = {"io.leoflow.filename": wheel.filename}
        yield _part(wheel.name, wheel.version, wheel_purl(wheel), sha256=wheel.sha256, facts=facts)
    for package in contents.debs:
        purl = deb_purl(package, contents.suite)
        yield _part(package.name, package.version, purl, sha256=package.sha256)
    if contents.suite is not None:
        yield _part("debian", debian_release(contents.suite), None, kind="operating-system")
    if contents.own_base is not None:
        base = contents.own_base
        yield _part(base.reference, base.digest, base_purl(base), kind="container")
        yield _part("cpython", contents.python_version, None, kind="platform")


def _part(
    name: str,
    version: str | None,
    purl: str | None,
    *,
    kind: str = "library",
    sha256: str | None = None,
    facts: dict[str, str] | None = None,
) -> Component:
    from cyclonedx.model import HashAlgorithm, HashType, Property
    from cyclonedx.model.component import Component, ComponentType
    from packageurl import PackageURL

    hashes = [HashType(alg=HashAlgorithm.SHA_256, content=sha256)] if sha256 else []
    properties = [Property(name=one, value=value) for one, value in (facts or {}).items()]
    named: Any = PackageURL.from_string(purl) if purl else None
    return Component(
        type=ComponentType(kind),
        name=name,
        version=version,
        bom_ref=purl or f"{kind}:{name}@{version}",
        purl=named,
        hashes=hashes,
        properties=properties,
    )
