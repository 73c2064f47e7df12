"""Images of a few bytes, and places that keep them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

from leoflow_builder.oci.content import CONFIG, Content, digest_of, json_content
from leoflow_builder.oci.files import LayoutFolder
from leoflow_builder.oci.image import OciImage
from leoflow_builder.oci.layout import Bundle
from leoflow_builder.oci.presence import MANIFEST
from tarlayer import Entry, layer_tar

NAME = "docker.io/team/base:1"
RUN = {
    "Env": ["PATH=/opt/bin", "LEOFLOW_DAG_FOLDER=/old", "A=b=c"],
    "Labels": {"vendor": "me", "io.leoflow.dag_id": "old"},
    "OnBuild": ["RUN x"],
    "Healthcheck": {"Test": ["CMD", "curl", "localhost"]},
    "StopSignal": "SIGWINCH",
    "WorkingDir": "/work",
}


def make_base(*contents: str, machine: str = "amd64", history: bool = True) -> OciImage:
    """Return an image with one layer for each content, of Docker's own media types."""
    tars = [layer_tar([Entry("f", text=one)]) for one in contents]
    blobs = [gzip.compress(tar, mtime=0) if n % 2 else tar for n, tar in enumerate(tars)]
    layers = tuple(
        Content("application/vnd.docker.image.rootfs.diff.tar.gzip", digest_of(one), len(one), one)
        for one in blobs
    )
    document = {
        "os": "linux",
        "architecture": machine,
        "config": RUN,
        "rootfs": {"type": "layers", "diff_ids": [digest_of(one) for one in tars]},
        "history": [{"created_by": "me"} for _ in contents] if history else [],
    }
    config = json_content(CONFIG, document)
    manifest = {
        "schemaVersion": 2,
        "config": config.descriptor(),
        "layers": [one.descriptor() for one in layers],
    }
    made = json_content(MANIFEST, manifest)
    diff_ids = tuple(digest_of(one) for one in tars)
    return OciImage(f"linux/{machine}", made, config, layers, diff_ids)


def write_layout(image: OciImage, folder: Path, name: str = NAME) -> Path:
    """Add an image to an OCI layout."""
    LayoutFolder(folder).receive(Bundle(name, (image,)), print)
    return folder


def document_of(content: Content) -> object:
    """Return the JSON in some content."""
    return json.loads(b"".join(content.chunks()))
