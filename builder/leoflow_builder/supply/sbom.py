"""The software bill of materials of an image, as CycloneDX 1.6. Pure: same contents, same bytes.

The library that writes it is imported at first use: a build with known packages needs none of it.
https://cyclonedx.org/docs/1.6/json/
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

from leoflow_builder.memo import FORGETFUL, Memo
from leoflow_builder.supply.canonical import canonical_json
from leoflow_builder.supply.contents import ImageContents
from leoflow_builder.supply.part import Part, parts_of

if TYPE_CHECKING:
    from cyclonedx.model.bom import Bom
    from cyclonedx.model.component import Component

PREDICATE_TYPE = "https://cyclonedx.org/bom"
_SPEC_PROPERTY = "io.leoflow.spec"
# Stands where the digest of the DagSpec comes later.
_ANY_SPEC = "sha256:"
_NAMESPACE = uuid5(NAMESPACE_URL, "io.leoflow.sbom")


def make_sbom(contents: ImageContents, created: int | None = None, memo: Memo = FORGETFUL) -> bytes:
    """Return a CycloneDX document in JSON.

    ``created`` is in seconds since the epoch; None leaves the time out. The serial number is made
    of all the rest. What ``memo`` knows of the same packages is not made again.
    """
    document = _without_spec(contents, memo)
    if contents.spec_digest is not None:
        _put_spec(document["metadata"]["component"], contents.spec_digest)
    if created is not None:
        stamp = datetime.fromtimestamp(created, UTC)
        document["metadata"]["timestamp"] = stamp.isoformat().replace("+00:00", "Z")
    number = uuid5(_NAMESPACE, canonical_json(document).decode())
    return canonical_json({**document, "serialNumber": number.urn})


def _without_spec(contents: ImageContents, memo: Memo) -> dict[str, Any]:
    """Return the document of the same image with another DagSpec, which every line changes."""
    if contents.spec_digest is not None:
        contents = replace(contents, spec_digest=_ANY_SPEC)
    text = json.dumps(asdict(contents))
    known: dict[str, Any] | None = memo.recall("sbom", text)
    if known is not None:
        return known
    from cyclonedx.output.json import JsonV1Dot6

    document: dict[str, Any] = json.loads(JsonV1Dot6(_bom(contents)).output_as_string())
    # The library fills in what it was not given: the time of day and a random number.
    document.pop("serialNumber", None)
    document["metadata"].pop("timestamp", None)
    memo.keep("sbom", text, document)
    return document


def _put_spec(component: dict[str, Any], spec_digest: str) -> None:
    component["version"] = spec_digest
    for one in component["properties"]:
        if one["name"] == _SPEC_PROPERTY:
            one["value"] = spec_digest


def _bom(contents: ImageContents) -> Bom:
    from cyclonedx.model.bom import Bom, BomMetaData
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.model.tool import ToolRepository

    tool = Component(
        type=ComponentType.APPLICATION, name="leoflow", version=contents.leoflow_version
    )
    root = _root(contents)
    metadata = BomMetaData(component=root, tools=ToolRepository(components=[tool]))
    parts = [_component(part) for part in parts_of(contents)]
    bom = Bom(components=parts, metadata=metadata)
    bom.register_dependency(root, parts)
    return bom


def _root(contents: ImageContents) -> Component:
    from cyclonedx.model import Property
    from cyclonedx.model.component import Component, ComponentType

    facts = {
        "io.leoflow.platform": contents.platform,
        "io.leoflow.python_version": contents.python_version,
    }
    kind = "image"
    if contents.spec_digest is not None:
        facts |= {"io.leoflow.dag_id": contents.title, _SPEC_PROPERTY: contents.spec_digest}
        kind = "dag"
    return Component(
        type=ComponentType.CONTAINER,
        name=contents.title,
        version=contents.version,
        bom_ref=f"{kind}:{contents.title}",
        properties=[Property(name=name, value=value) for name, value in facts.items()],
    )


def _component(part: Part) -> Component:
    from cyclonedx.model import HashAlgorithm, HashType, Property
    from cyclonedx.model.component import Component, ComponentType
    from packageurl import PackageURL

    hashes = [HashType(alg=HashAlgorithm.SHA_256, content=part.sha256)] if part.sha256 else []
    facts = [Property(name="io.leoflow.filename", value=part.filename)] if part.filename else []
    return Component(
        type=ComponentType(part.kind),
        name=part.name,
        version=part.version,
        bom_ref=part.reference,
        purl=PackageURL.from_string(part.purl) if part.purl else None,
        hashes=hashes,
        properties=facts,
    )
