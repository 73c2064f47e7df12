"""Where a built image can go, with the tools that people have there: engine, disk, registry."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from leoflow_builder.oci.presence import blob_path, listed_in
from programs import require_program
from registryserver import running_registry

SETTINGS = "defaults: {resources: {requests: {cpu: 100m, memory: 64Mi}}}\n"
DAG = """\
from leoflow import dag, task


@task
def act():
    return 1


@dag("delivery")
def built():
    act()


built()
"""
ASK = "import os, json; print(json.dumps([os.getuid(), os.listdir('/opt/leoflow/dag')]))"
LEOFLOW = [sys.executable, "-c", "from leoflow_cli.entry import main; main()"]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "leoflow.yaml").write_text(SETTINGS)
    (folder / "dag.py").write_text(DAG)
    return folder


def leoflow(home: Path, *arguments: object, **variables: str) -> Any:
    """Run the command as a person would; return its JSON."""
    command = [*LEOFLOW, *map(str, arguments), "--json"]
    environment = {**os.environ, "LEOFLOW_HOME": str(home), **variables}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def said_by(command: list[object]) -> str:
    done = subprocess.run([str(one) for one in command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_skopeo_and_umoci_accept_the_layout(project: Path, home: Path, tmp_path: Path) -> None:
    built = leoflow(home, "build", project, "--tag", "team/x:1", "--output", tmp_path / "out")
    skopeo = require_program("skopeo")
    seen = json.loads(said_by([skopeo, "inspect", f"oci:{tmp_path / 'out'}:1"]))
    assert seen["Digest"] == built["digest"]
    assert seen["Labels"]["io.leoflow.dag_id"] == "delivery"
    assert seen["Layers"] == [one["digest"] for one in built["layers"] if one["digest"]]
    bundle = tmp_path / "bundle"
    umoci = [require_program("umoci"), "unpack", "--rootless", "--image", f"{tmp_path / 'out'}:1"]
    listed = said_by([require_program("umoci"), "ls", "--layout", tmp_path / "out"])
    assert listed.split() == ["1"]
    done = subprocess.run([*map(str, umoci), str(bundle)], capture_output=True, text=True)
    # Debian's umoci is older than layers of zstd; whatever it says, it is not about the layout.
    assert done.returncode == 0 or "zstd" in done.stderr, done.stderr


def test_the_layout_carries_what_is_told_about_the_image(
    project: Path, home: Path, tmp_path: Path
) -> None:
    built = leoflow(home, "build", project, "--output", tmp_path / "out")
    image, about = listed_in(tmp_path / "out")
    assert image["annotations"]["io.leoflow.dag_id"] == "delivery"
    assert about["annotations"]["vnd.docker.reference.digest"] == built["digest"]
    manifest = json.loads(blob_path(tmp_path / "out", about["digest"]).read_bytes())
    kinds = {one["annotations"]["in-toto.io/predicate-type"] for one in manifest["layers"]}
    assert kinds == {
        "https://cyclonedx.org/bom",
        "https://spdx.dev/Document",
        "https://slsa.dev/provenance/v1",
    }
    statement = json.loads(
        blob_path(tmp_path / "out", manifest["layers"][0]["digest"]).read_bytes()
    )
    names = {one["name"] for one in statement["predicate"]["components"]}
    assert {"libc6", "python3.11-minimal", "leoflow"} <= names
    assert "perl-base" not in names


@pytest.mark.engine
def test_an_archive_is_loaded_and_runs(project: Path, home: Path, tmp_path: Path) -> None:
    tag = f"leoflow-test/{uuid4().hex}:1"
    leoflow(home, "build", project, "--tag", tag, "--output", tmp_path / "image.tar")
    try:
        said_by(["docker", "load", "--input", tmp_path / "image.tar"])
        run = ["docker", "run", "--rm", "--network=none", "--entrypoint", "python3.11", tag]
        uid, files = json.loads(said_by([*run, "-c", ASK]))
        assert uid == 65532
        assert "dag.py" in files
    finally:
        subprocess.run(["docker", "image", "rm", "--force", tag], capture_output=True)


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "registry").mkdir()
    with running_registry(tmp_path / "registry") as host:
        yield host


def test_a_push_after_a_change_of_code_sends_little(
    project: Path, home: Path, registry: str, tmp_path: Path
) -> None:
    tag = f"{registry}/team/delivery:1"
    first = _push(project, home, registry, tag)
    before = _stored_bytes(tmp_path / "registry")
    (project / "dag.py").write_text(DAG.replace("return 1", "return 2"))
    second = _push(project, home, registry, tag)
    assert second["digest"] != first["digest"]
    assert _stored_bytes(tmp_path / "registry") - before < 64_000
    skopeo = [require_program("skopeo"), "inspect", "--tls-verify=false", f"docker://{tag}"]
    seen = json.loads(said_by([*skopeo]))
    assert seen["Layers"] == [one["digest"] for one in second["layers"] if one["digest"]]


def test_an_unchanged_push_is_known_and_a_tag_that_was_moved_is_pushed_again(
    project: Path, home: Path, registry: str
) -> None:
    tag = f"{registry}/team/delivery:1"
    first = _push(project, home, registry, tag)
    assert not _push(project, home, registry, tag)["built"]
    (project / "dag.py").write_text(DAG.replace("return 1", "return 2"))
    _push(project, home, registry, tag)
    (project / "dag.py").write_text(DAG)
    third = _push(project, home, registry, tag)
    assert (third["built"], third["digest"]) == (True, first["digest"])


def _push(project: Path, home: Path, registry: str, tag: str) -> Any:
    insecure = {"LEOFLOW_INSECURE_REGISTRIES": registry}
    return leoflow(home, "build", project, "--push", "--tag", tag, **insecure)


def _stored_bytes(folder: Path) -> int:
    blobs = (folder / "storage").rglob("data")
    return sum(one.stat().st_size for one in blobs)


def test_inspect_shows_what_was_built(project: Path, home: Path, tmp_path: Path) -> None:
    leoflow(home, "build", project, "--output", tmp_path / "one")
    (project / "data.csv").write_text("1,2\n")
    leoflow(home, "build", project, "--output", tmp_path / "two")
    seen = leoflow(home, "inspect", tmp_path / "two", "--against", tmp_path / "one")
    assert [one["name"] for one in seen["layers"]] == ["base", "agent", "dag"]
    assert "data.csv" in json.dumps(seen)
