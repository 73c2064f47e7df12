"""Both builders make the same image: the same files, entry by entry, and the same configuration."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import pytest
from leoflow_builder.assemble import Options
from leoflow_builder.build import BuildResult, build_project
from leoflow_builder.buildkit import BuildkitBuilder
from leoflow_builder.engine import WhalesEngine
from leoflow_builder.layerblob import open_layer
from leoflow_builder.oci.engine_images import open_images
from leoflow_builder.oci.engine_store import EngineStore
from leoflow_builder.oci.image import OciImage
from leoflow_builder.oci.layout import read_image
from leoflow_builder.tools import Tools
from leoflow_builder.wish import BuildWish

SETTINGS = """\
dependencies: [idna==3.7]
environment: {QUOTED: 'a "b" $HOME \\c', LINES: "one\\ntwo", LANG: de_DE.UTF-8}
defaults: {resources: {requests: {cpu: 100m, memory: 64Mi}}}
"""
DAG = """\
from leoflow import dag, task


@task
def act():
    return 1


@dag("builders")
def built():
    act()


built()
"""


class Entry(NamedTuple):
    """Everything that a container could see of a file."""

    kind: bytes
    mode: int
    owner: tuple[int, int]
    modified: float
    link: str
    content: str


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "sub").mkdir(parents=True)
    (folder / "leoflow.yaml").write_text(SETTINGS)
    (folder / "dag.py").write_text(DAG)
    (folder / "sub" / "run.sh").write_text("#!/bin/sh\n")
    (folder / "sub" / "run.sh").chmod(0o700)
    (folder / "link").symlink_to("sub/run.sh")
    return folder


def build(project: Path, home: Path, builder: str, output: Path) -> tuple[BuildResult, OciImage]:
    wish = BuildWish(builder=builder, output=output)
    result = build_project(project, home, print, Options(wish))
    return result, read_image(output, "linux/amd64")


def files(image: OciImage) -> dict[str, Entry]:
    found: dict[str, Entry] = {}
    for layer in image.layers:
        assert isinstance(layer.source, Path)
        with open_layer(layer.source) as archive:
            found |= read(archive)
    return found


def read(archive: tarfile.TarFile) -> dict[str, Entry]:
    return {one.name.strip("/"): entry(archive, one) for one in archive}


def entry(archive: tarfile.TarFile, one: tarfile.TarInfo) -> Entry:
    body = archive.extractfile(one) if one.isreg() else None
    content = hashlib.sha256(body.read()).hexdigest() if body else ""
    return Entry(one.type, one.mode, (one.uid, one.gid), one.mtime, one.linkname, content)


def configuration(document: dict[str, Any]) -> dict[str, Any]:
    """Return what tells how an image is started; the way it was made may differ."""
    config = dict(document["config"])
    config["Env"] = sorted(config["Env"])
    config.pop("ArgsEscaped", None)  # BuildKit's mark for Windows, of no meaning here
    named = ("architecture", "os", "created")
    return {**{one: document[one] for one in named}, "config": config, "rootfs": document["rootfs"]}


def config_of(image: OciImage) -> dict[str, Any]:
    return configuration(json.loads(b"".join(image.config.chunks())))


@pytest.mark.engine
def test_oci_and_buildkit_give_the_same_files_and_configuration(
    project: Path, home: Path, tmp_path: Path
) -> None:
    one, oci = build(project, home, "oci", tmp_path / "oci")
    other, buildkit = build(project, home, "buildkit", tmp_path / "buildkit")
    assert files(oci) == files(buildkit)
    assert config_of(oci) == config_of(buildkit)
    assert [layer.digest for layer in one.layers] == [layer.digest for layer in other.layers]
    assert oci.diff_ids == buildkit.diff_ids


def annotations(image: OciImage) -> dict[str, str]:
    found: dict[str, str] = json.loads(b"".join(image.manifest.chunks())).get("annotations", {})
    return found


@pytest.mark.engine
def test_both_annotate_the_manifest_alike(project: Path, home: Path, tmp_path: Path) -> None:
    _, oci = build(project, home, "oci", tmp_path / "oci")
    _, buildkit = build(project, home, "buildkit", tmp_path / "buildkit")
    assert annotations(oci) == annotations(buildkit)
    assert annotations(oci)["io.leoflow.dag_id"] == "builders"


class Classic(WhalesEngine):
    """The engine that is there, taken for one that keeps no manifests."""

    def stores_manifests(self) -> bool:
        return False


@pytest.fixture
def tag() -> Iterator[str]:
    name = f"leoflow-test/{uuid4().hex}:1"
    yield name
    subprocess.run(["docker", "image", "rm", "--force", name], capture_output=True)


@pytest.mark.engine
def test_layers_that_buildkit_unpacks_and_packs_itself_hold_the_same(
    project: Path, home: Path, tmp_path: Path, tag: str
) -> None:
    _, oci = build(project, home, "oci", tmp_path / "oci")
    store = EngineStore(open_images(), tmp_path / "memory")
    tools = Tools(BuildkitBuilder(Classic(), tmp_path / "work"), store)
    build_project(project, home, print, Options(BuildWish(tag=tag, builder="buildkit")), tools)
    archive = io.BytesIO(b"".join(open_images().save(tag)))
    with tarfile.open(fileobj=archive) as saved:
        (entry,) = json.load(saved.extractfile("manifest.json"))  # type: ignore[arg-type]
        config = json.load(saved.extractfile(entry["Config"]))  # type: ignore[arg-type]
        found: dict[str, Entry] = {}
        for name in entry["Layers"]:
            blob = tmp_path / "layer"
            blob.write_bytes(saved.extractfile(name).read())  # type: ignore[union-attr]
            is_zstd = blob.read_bytes()[:4] == b"\x28\xb5\x2f\xfd"
            with open_layer(blob) if is_zstd else tarfile.open(blob) as layer:
                found |= read(layer)
    assert found == files(oci)
    assert configuration(config)["config"] == config_of(oci)["config"]
