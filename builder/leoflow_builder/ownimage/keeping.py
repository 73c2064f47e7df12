"""Keeps images of others in leoflow's cache: each once, as an OCI layout, by its digest.

They stay as they are. What of them goes into an image that stands on one is decided here; where
they are found is `finding`'s.
"""

from __future__ import annotations

import json
import shutil
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leoflow_builder.cache import ensure_folder
from leoflow_builder.cachehold import hold
from leoflow_builder.inspection.choice import FoundImage
from leoflow_builder.inspection.document import Config, read_config
from leoflow_builder.inspection.source import ImageSource, Pointer, open_verified
from leoflow_builder.layertar import LAYER_TIME
from leoflow_builder.oci.content import Content, Json, digest_of
from leoflow_builder.oci.image import BelowImage, OciImage
from leoflow_builder.oci.layout import LAYOUT, read_image
from leoflow_builder.oci.presence import MANIFEST, blob_path

if TYPE_CHECKING:
    from leoflow_builder.registry.client import Registry
    from leoflow_builder.registry.reference import Reference

LAYER = "application/vnd.oci.image.layer.v1.tar"
# What is left of leoflow in an image that it built before is none of the new image's business.
OWN_FOLDER = "opt/leoflow"
_OWN_VARIABLES, _OWN_LABELS = "LEOFLOW_", "io.leoflow."
# Docker's names of what only a build with Docker does, and of what is said of another process than
# the agent: it ends by SIGTERM, and a task is no service.
_UNFOLLOWED = {"OnBuild": "ONBUILD", "Healthcheck": "HEALTHCHECK", "StopSignal": "STOPSIGNAL"}
_COMPRESSIONS = {b"\x1f\x8b": "+gzip", b"\x28\xb5\x2f\xfd": "+zstd"}


@dataclass(frozen=True)
class KeptImage:
    """An image of one platform in the cache. ``folder`` is an OCI layout that holds nothing else,
    ``digest`` is the manifest's."""

    folder: Path
    digest: str

    @cached_property
    def image(self) -> OciImage:
        """The image as it is."""
        return read_image(self.folder, self.config.platform)

    @cached_property
    def config(self) -> Config:
        """How a container of it is started."""
        return read_config(self._document, f"the configuration of '{self.digest}'")

    @property
    def pointers(self) -> tuple[Pointer, ...]:
        """Its layers, from the bottom up."""
        layers = self.image.layers
        return tuple(Pointer(one.media_type, one.digest, one.size_bytes) for one in layers)

    def below(self, has_leoflow: bool) -> BelowImage:
        """Return it as what another image stands on.

        ``has_leoflow``: it was built by leoflow, and its agent and DAG are to be out of sight.
        """
        run = _object(self._document.get("config"))
        history = self._document.get("history")
        known = [one for one in history if isinstance(one, dict)] if history else []
        layers = [_as_oci(one) for one in self.image.layers]
        diff_ids = list(self.image.diff_ids)
        if sum(not one.get("empty_layer") for one in known) != len(layers):
            known = [{"created_by": f"layer {one.digest}"} for one in layers]
        if has_leoflow:
            hiding = _hiding_layer()
            layers, diff_ids = [*layers, hiding], [*diff_ids, hiding.digest]
            known = [*known, {"created_by": "leoflow: hide what was there", "comment": "leoflow"}]
        return BelowImage(_inherited(run), tuple(layers), tuple(diff_ids), tuple(known))

    @property
    def unfollowed(self) -> Sequence[str]:
        """The instructions of its Dockerfile that mean nothing to the image on top."""
        run = _object(self._document.get("config"))
        return [word for field, word in _UNFOLLOWED.items() if run.get(field)]

    @cached_property
    def _document(self) -> Mapping[str, Any]:
        manifest = json.loads(blob_path(self.folder, self.digest).read_bytes())
        content = blob_path(self.folder, manifest["config"]["digest"]).read_bytes()
        document: Mapping[str, Any] = json.loads(content)
        return document


def kept_image(digest: str, home: Path) -> KeptImage | None:
    """Return an image that is in the cache already."""
    folder = _folder(home) / _key(digest)
    hold(folder)
    return KeptImage(folder, digest) if folder.is_dir() else None


def keep_found(source: ImageSource, found: FoundImage, home: Path) -> KeptImage:
    """Copy an image out of a place; every blob is verified. BrokenImage if one is damaged."""
    manifest = Pointer(found.media_type or MANIFEST, found.digest, found.size_bytes)

    def fill(new: Path) -> None:
        parts = (manifest, found.manifest.config, *found.manifest.layers)
        for pointer in {one.digest: one for one in parts}.values():
            _copy(source, pointer, blob_path(new, pointer.digest))
        _write_layout(new, manifest.media_type, found.digest, found.size_bytes)

    folder, _ = ensure_folder(_folder(home), _key(found.digest), fill)
    return KeptImage(folder, found.digest)


def keep_pulled(registry: Registry, reference: Reference, platform: str, home: Path) -> KeptImage:
    """Fetch the image of a digest from a registry; RegistryError if that fails."""
    from leoflow_builder.registry.pull import pull

    digest = reference.target

    def fill(new: Path) -> None:
        pulled = pull(registry, reference, platform, new / "blobs").manifest
        blob_path(new, pulled.digest).write_bytes(pulled.content)
        _write_layout(new, pulled.media_type or MANIFEST, pulled.digest, len(pulled.content))

    folder, _ = ensure_folder(_folder(home), _key(digest), fill)
    return KeptImage(folder, digest)


def _folder(home: Path) -> Path:
    return home.absolute() / "cache" / "images-of-others"


def _key(digest: str) -> str:
    return digest.replace(":", "-")


def _copy(source: ImageSource, pointer: Pointer, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with open_verified(source, pointer) as stream, target.open("wb") as file:
        shutil.copyfileobj(stream, file, 1 << 20)


def _write_layout(folder: Path, media_type: str, digest: str, size_bytes: int) -> None:
    entry = {"mediaType": media_type, "digest": digest, "size": size_bytes}
    index = json.dumps({"schemaVersion": 2, "manifests": [entry]})
    (folder / "index.json").write_text(index, encoding="utf-8")
    (folder / "oci-layout").write_bytes(LAYOUT)


def _as_oci(layer: Content) -> Content:
    """Return a layer with OCI's media type: Docker's own do not go with a manifest of OCI."""
    assert isinstance(layer.source, Path), "a kept layer is a file"
    with layer.source.open("rb") as file:
        head = file.read(4)
    kinds = (kind for magic, kind in _COMPRESSIONS.items() if head.startswith(magic))
    return replace(layer, media_type=LAYER + next(kinds, ""))


def _inherited(run: Mapping[str, Any]) -> Json:
    """Return of how a container is started what holds for the image on top, too."""
    variables = [one for one in _texts(run.get("Env")) if not one.startswith(_OWN_VARIABLES)]
    labels = _object(run.get("Labels"))
    kept = {name: value for name, value in run.items() if name not in _UNFOLLOWED}
    if variables or "Env" in run:
        kept["Env"] = variables
    if labels:
        kept["Labels"] = {k: v for k, v in labels.items() if not k.startswith(_OWN_LABELS)}
    return kept


def _hiding_layer() -> Content:
    """Return a layer that hides leoflow's folder in those below it."""
    folder, _, name = OWN_FOLDER.rpartition("/")
    plain = BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for entry in (tarfile.TarInfo(folder), tarfile.TarInfo(f"{folder}/.wh.{name}")):
            entry.mtime, entry.mode = LAYER_TIME, 0o755 if entry.name == folder else 0o644
            entry.type = tarfile.DIRTYPE if entry.name == folder else tarfile.REGTYPE
            archive.addfile(entry)
    content = plain.getvalue()
    return Content(LAYER, digest_of(content), len(content), content)


def _object(found: object) -> Mapping[str, Any]:
    return found if isinstance(found, dict) else {}


def _texts(found: object) -> Iterable[str]:
    return [str(one) for one in found] if isinstance(found, list) else []
