"""Manifests, indexes and configurations as typed values, out of JSON that anybody wrote. Pure.

https://github.com/opencontainers/image-spec/blob/v1.1.0/spec.md: manifest, image index, config
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from leoflow_builder.inspection.failure import BrokenImage
from leoflow_builder.inspection.source import Pointer

Document = Mapping[str, object]
_REMAKE = "Build, save or push the image again"


@dataclass(frozen=True)
class Manifest:
    """An image for one platform; layers are from the bottom up."""

    config: Pointer
    layers: tuple[Pointer, ...]
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Index:
    """What is listed together."""

    entries: tuple[Pointer, ...]
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class History:
    """How a layer came to be, as its maker tells it; an ``empty`` one made no layer."""

    created_by: str
    empty: bool


@dataclass(frozen=True)
class Config:
    """How a container is started, and what the layers are when they are not compressed."""

    platform: str
    created: str | None
    entrypoint: tuple[str, ...]
    command: tuple[str, ...]
    user: str
    working_folder: str
    environment: Mapping[str, str]
    labels: Mapping[str, str]
    diff_ids: tuple[str, ...]
    history: tuple[History, ...]


def read_manifest(document: Document, what: str) -> Manifest | Index:
    """Return what a document is; BrokenImage names ``what`` if it is neither."""
    try:
        if "manifests" in document:
            return Index(_pointers(document["manifests"]), texts(document.get("annotations")))
        if "layers" in document and "config" in document:
            config, layers = _pointer(document["config"]), _pointers(document["layers"])
            return Manifest(config, layers, texts(document.get("annotations")))
    except (KeyError, TypeError, ValueError) as error:
        raise BrokenImage(f"{what} cannot be read as a manifest: {error!r}. {_REMAKE}") from None
    raise BrokenImage(
        f"{what} is no manifest of an image: it has neither 'manifests' nor 'config' and 'layers'. "
        "Push it again with a current tool; it has to be an OCI image or Docker schema 2"
    )


def read_config(document: Document, what: str) -> Config:
    """Return an image's configuration; BrokenImage names ``what`` if it is none."""
    try:
        run, rootfs = _object(document.get("config")), _object(document.get("rootfs"))
        return Config(
            platform=platform_text(document) or "unknown/unknown",
            created=_optional(document.get("created")),
            entrypoint=_list(run.get("Entrypoint")),
            command=_list(run.get("Cmd")),
            user=_optional(run.get("User")) or "",
            working_folder=_optional(run.get("WorkingDir")) or "",
            environment=_environment(_list(run.get("Env"))),
            labels=texts(run.get("Labels")),
            diff_ids=_list(rootfs.get("diff_ids")),
            history=tuple(_history(one) for one in _objects(document.get("history"))),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BrokenImage(f"{what} is no configuration of an image: {error}. {_REMAKE}") from None


def platform_text(fields: Document) -> str | None:
    """Return "linux/arm64/v8" of an object with os, architecture and perhaps variant."""
    parts = [fields.get("os"), fields.get("architecture"), fields.get("variant")]
    if not parts[0] or not parts[1]:
        return None
    return "/".join(str(part) for part in parts if part)


def texts(found: object) -> dict[str, str]:
    """Return an object whose values are texts; {} for none. TypeError if it is something else."""
    return {name: str(value) for name, value in _object(found).items()}


def _pointers(found: object) -> tuple[Pointer, ...]:
    return tuple(_pointer(one) for one in _objects(found))


def _pointer(found: object) -> Pointer:
    fields = _object(found)
    digest, size = fields["digest"], fields["size"]
    if not isinstance(digest, str) or not isinstance(size, int) or size < 0:
        raise ValueError(f"digest {digest!r} with size {size!r}")
    return Pointer(
        media_type=_optional(fields.get("mediaType")) or "",
        digest=digest,
        size_bytes=size,
        platform=platform_text(_object(fields.get("platform"))),
        annotations=texts(fields.get("annotations")),
    )


def _history(entry: Document) -> History:
    return History(_optional(entry.get("created_by")) or "", entry.get("empty_layer") is True)


def _environment(pairs: Sequence[str]) -> dict[str, str]:
    split = (pair.partition("=") for pair in pairs)
    return {name: value for name, _, value in split}


def _objects(found: object) -> list[Document]:
    if found is None:
        return []
    if not isinstance(found, list):
        raise TypeError(f"{found!r} is no list")
    return [_object(one) for one in found]


def _object(found: object) -> Document:
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise TypeError(f"{found!r} is no object")
    return found


def _list(found: object) -> tuple[str, ...]:
    if found is None:
        return ()
    if not isinstance(found, list):
        raise TypeError(f"{found!r} is no list")
    return tuple(str(one) for one in found)


def _optional(found: object) -> str | None:
    if found is None or isinstance(found, str):
        return found
    raise TypeError(f"{found!r} is no text")
