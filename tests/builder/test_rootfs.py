"""What of the packages becomes a base's root file system."""

import os
from pathlib import Path
from typing import Any

import pytest
from leoflow_builder.layerblob import open_layer, pack_layer
from leoflow_builder.layertar import LAYER_TIME
from leoflow_builder.recipe import BaseImageError, Recipe, parse_recipe
from leoflow_builder.rootfs import assemble, drop_sources, set_modes

RECIPE = """
python = "3.11"
suite = "any"
packages = ["python3.11"]
without = []
keep = ["usr/bin/python3.11", "usr/lib/*", "etc/*"]
drop = ["usr/lib/test/*"]
without_source = ["usr/lib/tables/*.py"]
certificates = "usr/share/certs/*.crt"
certificate_bundle = "etc/bundle.crt"
absent_modules = []
links = { "usr/bin/python" = "python3.11" }
directories = { "tmp" = "1777", "home/leoflow" = "755" }
owners = { "home/leoflow" = 65532 }
files = { "etc/passwd" = "\\nroot:x:0:0\\n" }
"""
BROUGHT = {
    "python3.11": {
        "usr/bin/python3.11": "",
        "usr/lib/test/one.py": "",
        "usr/share/man/python.1": "",
        "usr/share/doc/python3.11/copyright": "same",
    },
    "libc6": {"lib/libc.so.6": "", "usr/share/doc/libc6/copyright": "same"},
    "certs": {"usr/share/certs/b.crt": "two\n", "usr/share/certs/a.crt": "one\n"},
}
RECIPE_VALUE = parse_recipe(RECIPE, "amd64")


def assembled(folder: Path, deb: Any, brought: Any = BROUGHT, umask: int = 0o022) -> Path:
    folder.mkdir(exist_ok=True)
    archives = {name: deb(folder, name, files)[1] for name, files in brought.items()}
    before = os.umask(umask)
    try:
        assemble(archives, folder / "root", RECIPE_VALUE)
    finally:
        os.umask(before)
    return folder / "root"


def paths_below(root: Path) -> set[str]:
    files = (path for path in root.rglob("*") if not path.is_dir() or path.is_symlink())
    return {file.relative_to(root).as_posix() for file in files}


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("usr/bin/python3.11", True),
        ("usr/lib/test/one.py", False),
        ("usr/bin/perl", False),
        ("var/lib/dpkg/status", False),
    ],
)
def test_a_recipe_wants_a_path(path: str, wanted: bool) -> None:
    assert RECIPE_VALUE.wants(path) is wanted


def test_a_root_holds_what_the_recipe_wants_and_nothing_else(tmp_path: Path, deb: Any) -> None:
    assert paths_below(assembled(tmp_path, deb)) == {
        "bin",
        "etc/bundle.crt",
        "etc/passwd",
        "lib",
        "usr/bin/python",
        "usr/bin/python3.11",
        "usr/lib/libc.so.6",
        "usr/share/doc/libc6/copyright",
        "usr/share/doc/python3.11/copyright",
    }


def test_certificates_become_one_bundle_in_the_order_of_their_names(
    tmp_path: Path, deb: Any
) -> None:
    assert (assembled(tmp_path, deb) / "etc/bundle.crt").read_text() == "one\ntwo\n"


def test_a_copyright_that_is_there_already_becomes_a_link(tmp_path: Path, deb: Any) -> None:
    second = assembled(tmp_path, deb) / "usr/share/doc/python3.11/copyright"
    assert second.readlink() == Path("../libc6/copyright")
    assert second.read_text() == "same"


def test_a_link_that_leads_nowhere_is_refused(tmp_path: Path, deb: Any) -> None:
    brought = {**BROUGHT, "python3.11": {}}
    with pytest.raises(BaseImageError, match=r"lead nowhere: 'usr/bin/python'"):
        assembled(tmp_path, deb, brought)


def test_bytecode_takes_the_place_of_a_source_that_is_left_out(tmp_path: Path) -> None:
    cached = tmp_path / "usr/lib/tables/__pycache__/cp037.cpython-311.pyc"
    cached.parent.mkdir(parents=True)
    cached.write_bytes(b"code")
    (tmp_path / "usr/lib/tables/cp037.py").touch()
    (tmp_path / "usr/lib/kept.py").touch()
    drop_sources(tmp_path, RECIPE_VALUE)
    assert paths_below(tmp_path) == {"usr/lib/kept.py", "usr/lib/tables/cp037.pyc"}


def test_the_same_packages_give_the_same_layer_under_any_umask(tmp_path: Path, deb: Any) -> None:
    packed = []
    for umask in (0o022, 0o077):
        root = assembled(tmp_path / str(umask), deb, umask=umask)
        set_modes(root, RECIPE_VALUE)
        packed.append(pack_layer(root, tmp_path / f"{umask}.layer", RECIPE_VALUE.owners))
    assert packed[0] == packed[1]


def test_a_layer_has_sorted_names_and_fixed_times_and_owners(tmp_path: Path, deb: Any) -> None:
    pack_layer(assembled(tmp_path, deb), tmp_path / "layer", RECIPE_VALUE.owners)
    with open_layer(tmp_path / "layer") as layer:
        members = {member.name: member for member in layer}
    parts = [name.split("/") for name in members]
    assert parts == sorted(parts)
    assert {member.mtime for member in members.values()} == {LAYER_TIME}
    assert {name for name, m in members.items() if m.uid or m.gid} == {"home/leoflow"}
    assert members["tmp"].mode == 0o1777


def test_a_recipe_s_architecture_names_its_libraries_folder() -> None:
    recipe: Recipe = parse_recipe(RECIPE, "arm64")
    assert recipe.triplet == "aarch64-linux-gnu"
