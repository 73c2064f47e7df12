"""The same bill of materials as SPDX 2.3, the one format that Docker's tools show.

Pure: same contents, same bytes. Written here: it is a flat list, and the library for it needs nine
others. https://spdx.github.io/spdx-spec/v2.3/
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from uuid import NAMESPACE_URL, uuid5

from leoflow_builder.supply.canonical import canonical_json, rfc3339
from leoflow_builder.supply.contents import ImageContents
from leoflow_builder.supply.part import Part, parts_of

PREDICATE_TYPE = "https://spdx.dev/Document"
_NAMESPACE = uuid5(NAMESPACE_URL, "io.leoflow.spdx")
_ROOT = "SPDXRef-Image"
_DOCUMENT = "SPDXRef-DOCUMENT"
_PURPOSES = {
    "library": "LIBRARY",
    "operating-system": "OPERATING-SYSTEM",
    "container": "CONTAINER",
    "platform": "APPLICATION",
}
Json = Mapping[str, object]


def make_spdx(contents: ImageContents, created: int) -> bytes:
    """Return an SPDX document in JSON; ``created``, in seconds since the epoch, is obligatory."""
    parts = parts_of(contents)
    tool = f"-{contents.leoflow_version}" if contents.leoflow_version else ""
    document: dict[str, object] = {
        "spdxVersion": "SPDX-2.3",
        "SPDXID": _DOCUMENT,
        "dataLicense": "CC0-1.0",
        "name": contents.title,
        "creationInfo": {"created": rfc3339(created), "creators": [f"Tool: leoflow{tool}"]},
        "packages": [_image(contents), *(_package(part) for part in parts)],
        "relationships": [
            _relationship(_DOCUMENT, "DESCRIBES", _ROOT),
            *(_relationship(_ROOT, "CONTAINS", _identifier(part)) for part in parts),
        ],
    }
    number = uuid5(_NAMESPACE, canonical_json(document).decode())
    document["documentNamespace"] = f"https://leoflow.io/spdx/{number}"
    return canonical_json(document)


def _image(contents: ImageContents) -> Json:
    return {
        "SPDXID": _ROOT,
        "name": contents.title,
        **({} if contents.version is None else {"versionInfo": contents.version}),
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "primaryPackagePurpose": "CONTAINER",
        "comment": f"{contents.platform}, Python {contents.python_version}",
    }


def _package(part: Part) -> Json:
    package: dict[str, object] = {
        "SPDXID": _identifier(part),
        "name": part.name,
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "primaryPackagePurpose": _PURPOSES[part.kind],
    }
    if part.version is not None:
        package["versionInfo"] = part.version
    if part.filename is not None:
        package["packageFileName"] = part.filename
    if part.sha256 is not None:
        package["checksums"] = [{"algorithm": "SHA256", "checksumValue": part.sha256}]
    if part.purl is not None:
        reference = {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl"}
        package["externalRefs"] = [{**reference, "referenceLocator": part.purl}]
    return package


def _relationship(one: str, kind: str, other: str) -> Json:
    return {"spdxElementId": one, "relationshipType": kind, "relatedSpdxElement": other}


def _identifier(part: Part) -> str:
    """Return an id of letters, digits, dots and hyphens that no other part has."""
    spelt = re.sub(r"[^A-Za-z0-9.-]+", "-", part.name).strip("-")
    digest = hashlib.sha256(part.reference.encode()).hexdigest()[:12]
    return f"SPDXRef-{spelt}-{digest}"
