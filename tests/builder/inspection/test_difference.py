"""What differs between two images."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from leoflow_builder.inspection.difference import Difference, compare
from leoflow_builder.inspection.layout import LayoutFolder
from leoflow_builder.inspection.view import SeenImage, see_image

from .image_sample import BASE, DEPS, LOCK, Sample, dag_layer, layout_files, write_folder

Layers = Sequence[tuple[str, Mapping[str, bytes]]]
LAYERS: Layers = [("base", BASE), ("deps", DEPS), ("dag", dag_layer())]


def see(folder: Path, layers: Layers = LAYERS, **config: Any) -> SeenImage:
    sample = Sample()
    sample.add_image(layers=layers, **config)
    place = write_folder(layout_files(sample), folder)
    return see_image(LayoutFolder(place), folder.name)


def difference(folder: Path, before: Layers, after: Layers) -> Difference:
    return compare(see(folder / "before", before), see(folder / "after", after))


def test_an_image_does_not_differ_from_itself(tmp_path: Path) -> None:
    found = difference(tmp_path, LAYERS, LAYERS)
    assert [layer.status for layer in found.layers] == ["shared"] * 3
    assert (found.packages, found.config, found.new_bytes) == ((), (), 0)


def test_a_change_of_code_is_a_change_of_one_layer(tmp_path: Path) -> None:
    changed = {**dag_layer(), "opt/leoflow/dag/dag.py": b"# longer than before, by far"}
    found = difference(tmp_path, LAYERS, [*LAYERS[:2], ("dag", changed)])
    assert [layer.status for layer in found.layers] == ["shared", "shared", "changed"]
    (file,) = found.layers[2].files
    assert (file.path, file.status) == ("opt/leoflow/dag/dag.py", "changed")
    assert (file.before_bytes, file.after_bytes) == (23, 28)
    after = found.layers[2].after
    assert after is not None
    assert found.new_bytes == after.size_bytes


def test_files_of_the_same_size_are_compared_by_their_content(tmp_path: Path) -> None:
    found = difference(tmp_path, [("dag", {"a": b"1"})], [("dag", {"a": b"2"})])
    assert [one.status for one in found.layers[0].files] == ["changed"]


def test_files_come_and_go_and_their_folders_are_not_counted(tmp_path: Path) -> None:
    found = difference(tmp_path, [("dag", {"a/b": b"1"})], [("dag", {"c/d": b"22"})])
    changes = [(one.path, one.status) for one in found.layers[0].files]
    assert changes == [("a/b", "removed"), ("c/d", "added")]


def test_layers_are_paired_by_name_wherever_they_are(tmp_path: Path) -> None:
    found = difference(tmp_path, [LAYERS[0], LAYERS[2]], LAYERS)
    told = [(layer.name, layer.status) for layer in found.layers]
    assert told == [("base", "shared"), ("deps", "added"), ("dag", "changed")]
    # The same files, and another compression: the third layer of a sample is zstd.
    assert found.layers[2].files == ()


def test_a_layer_that_is_gone_is_told_last(tmp_path: Path) -> None:
    found = difference(tmp_path, LAYERS, LAYERS[:1])
    told = [(layer.name, layer.status) for layer in found.layers]
    assert told == [("base", "shared"), ("deps", "removed"), ("dag", "removed")]
    assert found.new_bytes == 0


def test_packages_are_added_removed_and_changed(tmp_path: Path) -> None:
    def lock(**versions: str) -> Layers:
        packages = [{"name": name, "version": version} for name, version in versions.items()]
        return [("dag", dag_layer(lock={**LOCK, "packages": packages}))]

    found = difference(tmp_path, lock(numpy="1", pandas="2", pytz="3"), lock(pandas="4", six="5"))
    told = [(one.name, one.before, one.after) for one in found.packages]
    assert told == [
        ("numpy", "1", None),
        ("pandas", "2", "4"),
        ("pytz", "3", None),
        ("six", None, "5"),
    ]


def test_changes_of_the_configuration_are_told_one_by_one(tmp_path: Path) -> None:
    before = see(tmp_path / "before", Env=["A=1", "B=2"], Labels={"x": "1"}, Entrypoint=["a", "b"])
    after = see(tmp_path / "after", Env=["A=3", "C=4"], Labels={}, Entrypoint=["a"])
    told = [(one.name, one.before, one.after) for one in compare(before, after).config]
    assert told == [
        ("entrypoint", "a b", "a"),
        ("environment A", "1", "3"),
        ("environment B", "2", None),
        ("environment C", None, "4"),
        ("label x", "1", None),
    ]


def test_a_difference_can_be_written_as_json(tmp_path: Path) -> None:
    found = difference(tmp_path, LAYERS[:1], LAYERS)
    document = json.loads(json.dumps(found.as_json()))
    assert document["new_bytes"] == found.new_bytes > 0
