"""In-toto statements: something said of a thing that is named by its digest. Pure, and unsigned.

https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from leoflow_builder.supply.canonical import canonical_json

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"


@dataclass(frozen=True)
class Subject:
    """The image that is spoken of. ``digest`` is its manifest's for one platform, "sha256:…"."""

    name: str
    digest: str


@dataclass(frozen=True)
class Statement:
    """What is said, of which type; ``content`` is the JSON that is stored."""

    predicate_type: str
    content: bytes


def make_statement(
    subject: Subject, predicate_type: str, predicate: Mapping[str, object]
) -> Statement:
    """Return the statement that ``predicate`` holds for an image."""
    algorithm, _, value = subject.digest.partition(":")
    document = {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": subject.name, "digest": {algorithm: value}}],
        "predicateType": predicate_type,
        "predicate": predicate,
    }
    return Statement(predicate_type, canonical_json(document))
