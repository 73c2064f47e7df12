"""A small image of two platforms, as every place keeps it that leoflow looks into."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import zstandard
from leoflow_builder.supply.attestation import make_attestation
from leoflow_builder.supply.statement import Statement, Subject, make_statement

OCI = "application/vnd.oci.image"
MANIFEST, INDEX = f"{OCI}.manifest.v1+json", f"{OCI}.index.v1+json"
SBOM = {"bomFormat": "CycloneDX", "specVersion": "1.6"}
DAG = {
    "dag_id": "weather",
    "python_version": "3.11",
    "tasks": [
        {
            "task_id": "load",
            "action": {"kind": "python"},
            "resources": {
                "requests": {"cpu_millis": 250, "memory_bytes": 64 << 20},
                "limits": {"cpu_millis": None, "memory_bytes": 128 << 20},
            },
        }
    ],
}
LOCK = {
    "schema_version": 1,
    "packages": [
        {"name": "pandas", "version": "2.2.3", "filename": "pandas.whl", "sha256": "a" * 64}
    ],
}
BASE = {
    "usr/bin/python3.11": b"python",
    "usr/lib/os-release": b"ID=debian\nVERSION_CODENAME=trixie",
}
DEPS = {"usr/lib/python3/dist-packages/pandas-2.2.3.dist-info/METADATA": b"Name: pandas"}


def digest_of(content: bytes) -> str:
    """Return a digest as OCI writes it."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def dag_layer(dag: Mapping[str, Any] = DAG, lock: Mapping[str, Any] = LOCK) -> dict[str, bytes]:
    """Return the files of a layer with a DAG."""
    return {
        "opt/leoflow/dag.json": json.dumps(dag).encode(),
        "opt/leoflow/dag/dag.py": b"from leoflow import dag",
        "opt/leoflow/dag/leoflow.lock": json.dumps(lock).encode(),
    }


def tar_of(files: Mapping[str, bytes], links: Mapping[str, str] = {}) -> bytes:
    """Return a layer's plain tar."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for folder in sorted({str(parent) for name in files for parent in Path(name).parents}):
            if folder != ".":
                entry = tarfile.TarInfo(folder)
                entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                archive.addfile(entry)
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        for name, target in links.items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            archive.addfile(entry)
    return stream.getvalue()


@dataclass
class Sample:
    """An image: every blob by its digest, and the index or manifest that begins it."""

    blobs: dict[str, bytes] = field(default_factory=dict)
    media_types: dict[str, str] = field(default_factory=dict)
    entries: list[dict[str, Any]] = field(default_factory=list)
    annotations: dict[str, str] = field(default_factory=dict)

    def add(self, content: bytes, media_type: str) -> dict[str, Any]:
        """Keep a blob and return its descriptor."""
        digest = digest_of(content)
        self.blobs[digest], self.media_types[digest] = content, media_type
        return {"mediaType": media_type, "digest": digest, "size": len(content)}

    def add_image(
        self,
        machine: str = "amd64",
        layers: Sequence[tuple[str, Mapping[str, bytes]]] = (),
        **config: Any,
    ) -> str:
        """Add an image of one platform, its layers compressed in turns; return its digest."""
        tars = [tar_of(files) for _, files in layers]
        described = [self.add(*_compressed(tar, turn)) for turn, tar in enumerate(tars)]
        document = {
            "os": "linux",
            "architecture": machine,
            "created": "1980-01-02T00:00:00Z",
            "config": {"User": "65532:65532", "Entrypoint": ["python"], "Env": ["A=1"], **config},
            "rootfs": {"type": "layers", "diff_ids": [digest_of(tar) for tar in tars]},
            "history": [
                {"created_by": "LABEL a=b", "empty_layer": True},
                *({"created_by": f"leoflow: {name}"} for name, _ in layers),
            ],
        }
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self.add(json.dumps(document).encode(), f"{OCI}.config.v1+json"),
            "layers": described,
            "annotations": {"io.leoflow.dag_id": "weather"},
        }
        entry = self.add(json.dumps(manifest).encode(), MANIFEST)
        self.entries.append({**entry, "platform": {"os": "linux", "architecture": machine}})
        return str(entry["digest"])

    def attest(self, image: str, statements: Sequence[Statement]) -> None:
        """Keep statements about an image beside it."""
        made = make_attestation(image, statements)
        for piece in (*made.blobs, made.manifest):
            self.add(piece.source, piece.media_type)
        self.entries.append(dict(made.descriptor()))

    @property
    def index(self) -> bytes:
        """The index that lists all images."""
        document = {"schemaVersion": 2, "mediaType": INDEX, "manifests": self.entries}
        return json.dumps({**document, "annotations": self.annotations}).encode()


def _compressed(tar: bytes, turn: int) -> tuple[bytes, str]:
    kinds = (
        (tar, f"{OCI}.layer.v1.tar"),
        (gzip.compress(tar, mtime=0), f"{OCI}.layer.v1.tar+gzip"),
        (zstandard.compress(tar), f"{OCI}.layer.v1.tar+zstd"),
    )
    return kinds[turn % len(kinds)]


def make_sample() -> Sample:
    """Return an image for amd64, with an SBOM beside it, and one for arm64."""
    sample = Sample(annotations={"org.opencontainers.image.revision": "f" * 40})
    amd64 = sample.add_image("amd64", [("base", BASE), ("deps", DEPS), ("dag", dag_layer())])
    sample.add_image("arm64", [("base", {"usr/bin/python3.11": b"other"})])
    subject = Subject("weather", amd64)
    sample.attest(
        amd64,
        [
            make_statement(subject, "https://cyclonedx.org/bom", SBOM),
            make_statement(subject, "https://slsa.dev/provenance/v1", {"buildDefinition": {}}),
        ],
    )
    return sample


def layout_files(sample: Sample, nested: bool = False) -> dict[str, bytes]:
    """Return the files of an OCI layout; ``nested`` as engines do, an index in the index."""
    files = {f"blobs/{one.replace(':', '/')}": blob for one, blob in sample.blobs.items()}
    index = sample.index
    if nested:
        files[f"blobs/{digest_of(index).replace(':', '/')}"] = index
        entry = {"mediaType": INDEX, "digest": digest_of(index), "size": len(index)}
        index = json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode()
    return {"oci-layout": b'{"imageLayoutVersion":"1.0.0"}', "index.json": index, **files}


def write_folder(files: Mapping[str, bytes], folder: Path) -> Path:
    """Write files below a folder."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def docker_files(sample: Sample, tag: str = "team/weather:1") -> dict[str, bytes]:
    """Return the files of `docker save` as it was before Docker 25: the first image alone."""
    manifest = json.loads(sample.blobs[sample.entries[0]["digest"]])
    layers = [_plain(sample.blobs[one["digest"]]) for one in manifest["layers"]]
    names = [f"{number}/layer.tar" for number in range(len(layers))]
    config = sample.blobs[manifest["config"]["digest"]]
    listed = [{"Config": "config.json", "RepoTags": [tag], "Layers": names}]
    return {
        "manifest.json": json.dumps(listed).encode(),
        "config.json": config,
        **dict(zip(names, layers, strict=True)),
    }


def _plain(blob: bytes) -> bytes:
    if blob.startswith(b"\x28\xb5\x2f\xfd"):
        return zstandard.decompress(blob)
    return gzip.decompress(blob) if blob.startswith(b"\x1f\x8b") else blob


class FakeEngine:
    """An engine with the images that it was given; it counts how often one was saved."""

    def __init__(self, images: Mapping[str, bytes]) -> None:
        self._images = images
        self.saved = 0

    def find(self, reference: str) -> object | None:
        return reference if reference in self._images else None

    def save(self, reference: str) -> Iterator[bytes]:
        self.saved += 1
        content = self._images[reference]
        yield content[:700]
        yield content[700:]
