"""A layer is the same bytes for the same files, whatever their times, modes and order."""

import os
from pathlib import Path

import pytest
from leoflow_builder.failure import BuildError
from leoflow_builder.layer import LayerFolder, ensure_layer
from leoflow_builder.layerblob import open_layer


def make(parent: Path, names: list[str], mode: int = 0o644) -> LayerFolder:
    def fill(tree: Path) -> dict[str, str]:
        for name in names:
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            (tree / name).write_text(name)
            (tree / name).chmod(mode)
            os.utime(tree / name, (mode, mode))
        return {"fact": "kept"}

    return ensure_layer("deps", parent, "key", fill)


def test_times_group_modes_and_order_of_making_do_not_matter(tmp_path: Path) -> None:
    one = make(tmp_path / "1", ["b/c", "a", "b.d"], 0o600)
    other = make(tmp_path / "2", ["a", "b.d", "b/c"], 0o666)
    assert one.layer.digest == other.layer.digest
    assert one.layer.blob.read_bytes() == other.layer.blob.read_bytes()


def test_the_executable_bit_matters(tmp_path: Path) -> None:
    one, other = make(tmp_path / "1", ["a"], 0o644), make(tmp_path / "2", ["a"], 0o755)
    assert one.layer.digest != other.layer.digest


def test_all_belongs_to_root_and_is_readable_for_all(tmp_path: Path) -> None:
    layer = make(tmp_path, ["b/c"], 0o700).layer
    with open_layer(layer.blob) as archive:
        found = [(one.name, one.mode, one.uid, one.gid) for one in archive]
    assert found == [("b", 0o755, 0, 0), ("b/c", 0o755, 0, 0)]


def test_a_second_call_reuses_it_with_its_facts(tmp_path: Path) -> None:
    first, second = make(tmp_path, ["a"]), make(tmp_path, ["other"])
    assert (first.layer.reused, second.layer.reused) == (False, True)
    assert (second.layer.digest, second.facts) == (first.layer.digest, {"fact": "kept"})


def test_facts_that_a_power_cut_left_empty_are_told_with_the_fix(tmp_path: Path) -> None:
    made = ensure_layer("dag", tmp_path, "key", lambda tree: {})
    (made.tree.parent / "layer.json").write_bytes(b"")
    with pytest.raises(BuildError, match=r"layer\.json' is damaged.*`leoflow cache prune --all`"):
        ensure_layer("dag", tmp_path, "key", lambda tree: {})


def test_the_size_is_that_of_the_files(tmp_path: Path) -> None:
    assert make(tmp_path, ["abc", "de/f"]).layer.unpacked_bytes == 3 + 4
