"""One index for two platforms, made on one of them; and a build that is verified from nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from leoflow_builder.assemble import Options
from leoflow_builder.build import build_project
from leoflow_builder.lock import read_lock
from leoflow_builder.oci.presence import blob_path, listed_in
from leoflow_builder.verify import NotReproducible, verify_project
from leoflow_builder.wish import BuildWish

BOTH = ("linux/amd64", "linux/arm64")
SETTINGS = """\
dependencies: [markupsafe==3.0.2]
defaults: {resources: {requests: {cpu: 100m, memory: 64Mi}}}
"""
DAG = """\
from leoflow import dag, task


@task
def act():
    return 1


@dag("platforms")
def built():
    act()


built()
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "leoflow.yaml").write_text(SETTINGS)
    (folder / "dag.py").write_text(DAG)
    return folder


def layers_of(folder: Path, manifest: str) -> list[str]:
    document = json.loads(blob_path(folder, manifest).read_bytes())
    return [one["digest"] for one in document["layers"]]


@pytest.mark.long
def test_two_platforms_are_one_index_with_wheels_for_each(
    project: Path, shared_home: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    wish = BuildWish(output=out, platforms=BOTH)
    result = build_project(project, shared_home, print, Options(wish))
    top = listed_in(out)[0]
    assert result.image.digest == top["digest"]
    index = json.loads(blob_path(out, top["digest"]).read_bytes())
    images = [one for one in index["manifests"] if one["platform"]["os"] == "linux"]
    assert [one["platform"]["architecture"] for one in images] == ["amd64", "arm64"]
    amd_layers, arm_layers = (layers_of(out, one["digest"]) for one in images)
    names = ("base", "agent", "deps", "dag")
    pairs = zip(names, amd_layers, arm_layers, strict=True)
    shared = [name for name, one, other in pairs if one == other]
    assert shared == ["agent", "dag"]
    lock = read_lock(project)
    assert lock is not None
    (amd,), (arm,) = (lock.targets[one].packages for one in BOTH)
    assert (amd.version, "x86_64" in amd.filename) == (arm.version, "aarch64" in arm.filename)
    again = build_project(project, shared_home, print, Options(wish))
    assert not again.built


@pytest.mark.long
def test_a_build_is_verified_from_an_empty_cache(project: Path, shared_home: Path) -> None:
    options = Options(BuildWish(output=project.parent / "out"))
    built = build_project(project, shared_home, print, options)
    assert verify_project(project, shared_home, print, options) == built.image.digest


@pytest.mark.long
def test_two_builds_that_differ_are_told_with_the_layer(
    project: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = Options(BuildWish(output=project.parent / "out"))
    build_project(project, home, print, options)
    number = iter(range(9))

    def disturb(*_: object) -> dict[str, Path]:
        return {"dag.py": project / "dag.py", f"made-{next(number)}.txt": project / "dag.py"}

    monkeypatch.setattr(
        "leoflow_builder.assemble.choose_files",
        lambda *_: type("Files", (), {"chosen": disturb(), "ignored": ()})(),
    )
    with pytest.raises(NotReproducible, match="the layers dag differ"):
        verify_project(project, home, print, options)
