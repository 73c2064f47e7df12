"""An image that looks like somebody else's, made of leoflow's own base: no network, three layers,
each compressed in another way, a Python in /usr/local, whiteouts, and links from the root."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path

import zstandard
from leoflow_builder.baseimage import BaseImage
from leoflow_builder.layerblob import MEDIA_TYPE
from leoflow_builder.oci.content import CONFIG, Content, digest_of, json_content
from leoflow_builder.oci.image import OciImage
from leoflow_builder.oci.presence import MANIFEST

LAYER = "application/vnd.oci.image.layer.v1.tar"
VARIABLES = ("PATH=/usr/local/bin:/usr/bin:/bin", "APP_MODE=foreign", "LEOFLOW_OLD=1")
PYTHON = "python3.11"
_PROGRAMS = (b"#!", b"\x7fELF")


def make_foreign_base(base: BaseImage, mark: str = "1", **config: object) -> OciImage:
    """Return an image whose content differs for each ``mark``."""
    moved = _moved_python(base.rootfs)
    top = _tar({"opt/tool/.wh..wh..opq": b"", "opt/tool/new": mark.encode()})
    bottom = Content(MEDIA_TYPE, base.layer.digest, base.layer.size_bytes, base.layer.blob)
    layers = (bottom, _content(gzip.compress(moved, 1, mtime=0), "+gzip"), _content(top, ""))
    diff_ids = (base.layer.diff_id, digest_of(moved), digest_of(top))
    document = {
        "os": "linux",
        "architecture": base.architecture,
        "config": {"Env": list(VARIABLES), "Labels": {"vendor": "me"}, "Cmd": ["sh"], **config},
        "rootfs": {"type": "layers", "diff_ids": list(diff_ids)},
    }
    return _image(f"linux/{base.architecture}", document, layers, diff_ids)


def with_layer(image: OciImage, files: Mapping[str, bytes], **config: object) -> OciImage:
    """Return an image with one more layer, and something else in its configuration."""
    return with_tar(image, _tar(files), **config)


def with_tar(image: OciImage, tar: bytes, **config: object) -> OciImage:
    """Return an image with a layer out of a plain tar."""
    document = json.loads(b"".join(image.config.chunks()))
    document["config"] |= config
    document["rootfs"]["diff_ids"].append(digest_of(tar))
    layers = (*image.layers, _content(tar, ""))
    return _image(image.platform, document, layers, (*image.diff_ids, digest_of(tar)))


def docker_archive(image: OciImage) -> bytes:
    """Return an image as `docker save` wrote it before Docker 25."""
    tars = [_plain(b"".join(one.chunks())) for one in image.layers]
    files = {f"{number}/layer.tar": tar for number, tar in enumerate(tars)}
    listed = [{"Config": "config.json", "RepoTags": ["a:1"], "Layers": list(files)}]
    files |= {"config.json": b"".join(image.config.chunks())}
    return _tar({"manifest.json": json.dumps(listed).encode(), **files})


def _plain(blob: bytes) -> bytes:
    if blob.startswith(b"\x1f\x8b"):
        return gzip.decompress(blob)
    if not blob.startswith(b"\x28\xb5\x2f\xfd"):
        return blob
    return zstandard.ZstdDecompressor().stream_reader(blob, read_across_frames=True).read()


def _image(
    platform: str, document: Mapping[str, object], layers: tuple[Content, ...], ids: tuple[str, ...]
) -> OciImage:
    config = json_content(CONFIG, document)
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": config.descriptor(),
        "layers": [one.descriptor() for one in layers],
    }
    return OciImage(platform, json_content(MANIFEST, manifest), config, layers, ids)


def _content(blob: bytes, compression: str) -> Content:
    return Content(LAYER + compression, digest_of(blob), len(blob), blob)


def _moved_python(rootfs: Path) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in (f"usr/bin/.wh.{PYTHON}", f"usr/lib/.wh.{PYTHON}"):
            archive.addfile(tarfile.TarInfo(name))
        archive.add(rootfs / "usr/bin" / PYTHON, f"usr/local/bin/{PYTHON}")
        archive.add(rootfs / "usr/lib" / PYTHON, f"usr/local/lib/{PYTHON}")
        _add_link(archive, "usr/local/bin/python3", f"/etc/alternatives/{PYTHON}")
        _add_link(archive, f"etc/alternatives/{PYTHON}", f"/usr/local/bin/{PYTHON}")
        _add_file(archive, "opt/tool/old", b"old")
    return stream.getvalue()


def _tar(files: Mapping[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in files.items():
            _add_file(archive, name, content)
    return stream.getvalue()


def link_tar(name: str, target: str) -> bytes:
    """Return the tar of a layer with nothing but a link."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
        _add_link(archive, name, target)
    return stream.getvalue()


def _add_file(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), 0o755 if content.startswith(_PROGRAMS) else 0o644
    archive.addfile(entry, io.BytesIO(content))


def _add_link(archive: tarfile.TarFile, name: str, target: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = tarfile.SYMTYPE, target
    archive.addfile(entry)
