"""The names of layers, and the JSON of an image."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from leoflow_builder.inspection.document import Config, History, read_config
from leoflow_builder.inspection.layout import LayoutFolder
from leoflow_builder.inspection.view import layer_names, see_image

from .image_sample import BASE, Sample, dag_layer, layout_files, make_sample, write_folder


def config(*created_by: str, layers: int | None = None) -> Config:
    empty = read_config({"os": "linux", "architecture": "amd64"}, "a test")
    count = len(created_by) if layers is None else layers
    history = tuple(History(one, False) for one in created_by)
    return replace(empty, history=history, diff_ids=("sha256:0",) * count)


@pytest.mark.parametrize(
    ("created_by", "name"),
    [
        ("leoflow: base", "base"),
        ("leoflow: system", "system"),
        ("ADD dag.tar.zst / # buildkit", "dag"),
        ("ADD --link deps.tar /", "deps"),
        ("ADD rootfs.tar / # buildkit", None),
        ("leoflow: something", None),
        ("RUN apt-get install", None),
        ("", None),
    ],
)
def test_a_layer_is_named_by_its_history(created_by: str, name: str | None) -> None:
    assert layer_names(config(created_by)) == [name]


def test_a_history_that_fits_no_layers_names_none() -> None:
    assert layer_names(config("leoflow: base", layers=2)) == [None, None]
    assert layer_names(config(layers=1)) == [None]


def test_a_layer_that_was_read_is_not_read_again(tmp_path: Path) -> None:
    folder = write_folder(layout_files(make_sample()), tmp_path)
    known = dict[str, object]()
    see_image(LayoutFolder(folder), "a", "linux/amd64", known=known)  # type: ignore[arg-type]
    for digest in known:
        (folder / "blobs" / digest.replace(":", "/")).unlink()
    assert see_image(LayoutFolder(folder), "a", "linux/amd64", known=known).view.layers  # type: ignore[arg-type]


def test_an_upper_layer_hides_a_lower_one_s_dag(tmp_path: Path) -> None:
    sample = Sample()
    other = dag_layer({"dag_id": "other", "tasks": []})
    sample.add_image(layers=[("dag", dag_layer()), ("dag", other)])
    view = see_image(LayoutFolder(write_folder(layout_files(sample), tmp_path)), "a").view
    assert view.dag is not None
    assert view.dag.dag_id == "other"


def test_without_a_lock_the_installed_packages_are_told(tmp_path: Path) -> None:
    sample = Sample()
    metadata = {"usr/lib/python3/dist-packages/attrs-25.1.0.dist-info/METADATA": b""}
    sample.add_image(layers=[("base", BASE), ("deps", metadata)])
    view = see_image(LayoutFolder(write_folder(layout_files(sample), tmp_path)), "a").view
    assert (view.locked, view.dag) == (False, None)
    assert [one.name for one in view.packages] == ["attrs"]


def test_of_a_pinned_shell_only_what_is_in_the_image_is_told(tmp_path: Path) -> None:
    pins = ("libc6", "bash", "grep")
    debs = [{"name": one, "version": "1", "architecture": "all", "sha256": one} for one in pins]
    target = {"base": {"name": "b", "debs": debs}, "system": [], "packages": []}
    lock = {"schema_version": 2, "targets": {"linux/amd64": target}}
    sample = Sample()
    system = {"usr/share/doc/grep/copyright": b"licence", "usr/share/doc/git/copyright": b""}
    sample.add_image(layers=[("base", BASE), ("system", system), ("dag", dag_layer(lock=lock))])
    view = see_image(LayoutFolder(write_folder(layout_files(sample), tmp_path)), "a").view
    assert [one.name for one in view.packages] == ["grep", "libc6"]


def test_the_json_holds_everything_and_can_be_written(tmp_path: Path) -> None:
    source = LayoutFolder(write_folder(layout_files(make_sample()), tmp_path))
    document = see_image(source, "a", "linux/amd64").view.as_json()
    assert json.loads(json.dumps(document))["environment"] == {"A": "1"}
    assert {"digest", "layers", "packages", "dag", "entrypoint", "unpacked_bytes"} <= set(document)
    assert document["compressed_bytes"] == sum(one["size_bytes"] for one in document["layers"])
