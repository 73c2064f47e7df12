"""Recipes, the picking of files and the cache of base images, without network or packages."""

import json
import platform
import shutil
from pathlib import Path

import pytest
from leoflow_builder.baseimage import base_key, ensure_base
from leoflow_builder.cachehold import claimed
from leoflow_builder.debpackage import DebPackage
from leoflow_builder.foreign_check import check, magic_number
from leoflow_builder.recipe import (
    BaseImageError,
    known_versions,
    load_recipe,
    system_rules,
)

ONE = DebPackage("libc6", "2.36-9", "amd64", "1" * 64)
OTHER = DebPackage("libc6", "2.36-10", "amd64", "2" * 64)


@pytest.mark.parametrize("version", known_versions())
@pytest.mark.parametrize("architecture", ["amd64", "arm64"])
def test_every_recipe_that_ships_can_be_read(version: str, architecture: str) -> None:
    wanted = load_recipe(version, architecture)
    assert (wanted.python, wanted.architecture) == (version, architecture)
    assert not set(wanted.without) & set(system_rules().shell_packages)


@pytest.mark.parametrize(
    ("version", "architecture", "message"),
    [
        ("2.7", "amd64", r"Python '2\.7'. Choose one of: 3\.11"),
        ("3.11", "riscv64", r"no base image for 'riscv64'. Choose one of: amd64, arm64"),
    ],
)
def test_what_has_no_recipe_is_refused_with_a_way_out(
    version: str, architecture: str, message: str
) -> None:
    with pytest.raises(BaseImageError, match=message):
        load_recipe(version, architecture)


def test_the_key_tells_python_architecture_and_pins() -> None:
    recipes = [load_recipe("3.11", "amd64"), load_recipe("3.11", "arm64")]
    keys = {base_key(recipe, [pin]) for recipe in recipes for pin in (ONE, OTHER)}
    assert len(keys) == 4
    assert base_key(recipes[0], [ONE, OTHER]) == base_key(recipes[0], [OTHER, ONE])
    assert any(key.startswith("python3.11-amd64-") for key in keys)


def test_pins_that_lack_a_package_of_the_recipe_are_refused_with_the_fix(tmp_path: Path) -> None:
    with pytest.raises(BaseImageError, match=r"pins no 'base-files'.*`leoflow lock --upgrade`"):
        ensure_base("3.11", tmp_path, print, architecture="amd64", pins=[ONE])


@pytest.mark.skipif(platform.system() != "Linux", reason="bases are made on Linux")
def test_missing_tools_are_named_and_leave_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BaseImageError, match=r"needs 'apt dpkg'.*set base_image to a ready image"):
        ensure_base("3.11", tmp_path / "home", lambda _: None)
    assert not (tmp_path / "home" / "cache" / "bases").exists()


def test_a_disk_without_room_is_refused_before_anything_is_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=20_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    pins = [
        DebPackage(name, "1", "all", name.encode().hex().ljust(64, "0"))
        for name in load_recipe("3.11", "amd64").packages
    ]
    said: list[str] = []
    with pytest.raises(BaseImageError, match=r"takes 250 MB .* has 20 MB left\. Free some space"):
        ensure_base("3.11", tmp_path, said.append, architecture="amd64", pins=pins)
    assert said == []


@pytest.mark.parametrize("pins", [(), (ONE,)], ids=["newest", "pinned"])
def test_a_base_that_is_used_again_is_not_pruned(
    tmp_path: Path, pins: tuple[DebPackage, ...]
) -> None:
    folder = tmp_path / "cache" / "bases" / base_key(load_recipe("3.11", "amd64"), [ONE])
    folder.mkdir(parents=True)
    layer = dict.fromkeys(("diff_id", "digest"), "sha256:") | {"size_bytes": 0, "unpacked_bytes": 0}
    texts = ("architecture", "python", "site_packages", "python_version", "glibc")
    facts = {**dict.fromkeys(texts, ""), "packages": [], "debs": [], "layer": layer}
    (folder / "base.json").write_text(json.dumps(facts))
    made = ensure_base("3.11", tmp_path, print, architecture="amd64", pins=pins)
    assert made.key == folder.name
    with claimed(folder) as free:
        assert not free


def test_a_library_of_another_machine_is_found_in_a_foreign_base(tmp_path: Path) -> None:
    header = b"\x7fELF" + bytes(14)
    (tmp_path / "right.so").write_bytes(header + (183).to_bytes(2, "little"))
    (tmp_path / "wrong.so").write_bytes(header + (62).to_bytes(2, "little"))
    with pytest.raises(BaseImageError, match=r"arm64 hold 'wrong\.so' of another machine"):
        check(tmp_path, "arm64")


def test_the_number_of_bytecode_is_read_from_the_source(tmp_path: Path) -> None:
    (tmp_path / "importlib").mkdir()
    source = "MAGIC_NUMBER = (3495).to_bytes(2, 'little') + b'\\r\\n'\n"
    (tmp_path / "importlib" / "_bootstrap_external.py").write_text(source)
    assert magic_number(tmp_path) == 3495
