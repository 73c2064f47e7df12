"""What is said about an image in the attestations beside it, as BuildKit and leoflow store them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from leoflow_builder.inspection.document import Document, Manifest, read_manifest
from leoflow_builder.inspection.source import ImageSource, Pointer, read_document

_PREDICATE = "in-toto.io/predicate-type"
_STATEMENT = "application/vnd.in-toto+json"


def predicate_types(source: ImageSource, attestations: Sequence[Pointer]) -> tuple[str, ...]:
    """Return the types of what is said, each once."""
    found = (kind for kind, _ in _statements(source, attestations))
    return tuple(dict.fromkeys(found))


def predicates(source: ImageSource, attestations: Sequence[Pointer], wanted: str) -> list[Document]:
    """Return what is said of one type; signatures, where there are any, are not checked."""
    found = [one for kind, one in _statements(source, attestations) if kind == wanted]
    statements = (read_document(source, one) for one in found)
    said = (statement.get("predicate") for statement in statements)
    return [predicate for predicate in said if isinstance(predicate, dict)]


def _statements(
    source: ImageSource, attestations: Sequence[Pointer]
) -> Iterator[tuple[str, Pointer]]:
    for pointer in attestations:
        document = read_document(source, pointer)
        manifest = read_manifest(document, f"{source.name}: '{pointer.digest}'")
        for layer in manifest.layers if isinstance(manifest, Manifest) else ():
            kind = layer.annotations.get(_PREDICATE)
            if kind is not None and layer.media_type == _STATEMENT:
                yield kind, layer
