"""Recipes, the picking of files and the cache of base images, without network or packages."""

import platform
import shutil
from pathlib import Path

import pytest
from leoflow_builder.baseimage import base_key, ensure_base
from leoflow_builder.debian import Package, Unpacked, merged, mirrors, mirrors_among
from leoflow_builder.layerblob import open_layer, pack_layer
from leoflow_builder.layertar import LAYER_TIME, set_times
from leoflow_builder.recipe import (
    BaseImageError,
    Recipe,
    known_versions,
    load_recipe,
    parse_recipe,
)
from leoflow_builder.rootfs import assemble

RECIPE = """
python = "3.11"
suite = "any"
packages = ["python3.11"]
keep = ["usr/bin/python3.11", "usr/lib/*", "etc/*"]
drop = ["usr/lib/test/*"]
certificates = "usr/share/certs/*.crt"
certificate_bundle = "etc/bundle.crt"
absent_modules = []
links = { "usr/bin/python" = "python3.11" }
directories = { "tmp" = "1777", "home/leoflow" = "755" }
owners = { "home/leoflow" = 65532 }
files = { "etc/passwd" = "\\nroot:x:0:0\\n" }
[variants.plain]
[variants.bash]
packages = ["bash"]
programs_of = ["bash"]
drop_programs = ["bashbug"]
keep = ["usr/lib/test/{triplet}"]
"""
BROUGHT = {
    "bin/bash": "bash",
    "usr/bin/python3.11": "python3.11",
    "lib/libc.so.6": "libc6",
    "usr/lib/test/one.py": "python3.11",
    "usr/share/man/python.1": "man",
    "usr/share/certs/b.crt": "certs",
    "usr/share/certs/a.crt": "certs",
    "usr/share/doc/libc6/copyright": "libc6",
    "usr/share/doc/man/copyright": "man",
}


def recipe(variant: str = "plain") -> Recipe:
    return parse_recipe(RECIPE, variant, "x86_64")


def unpacked_into(folder: Path) -> Unpacked:
    for path in BROUGHT:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(f"{path}\n")
    packages = tuple(Package(n, "1", "all", "0" * 64) for n in sorted(set(BROUGHT.values())))
    return Unpacked(folder, packages, {merged(path): name for path, name in BROUGHT.items()})


def paths_below(root: Path) -> set[str]:
    files = (path for path in root.rglob("*") if not path.is_dir() or path.is_symlink())
    return {file.relative_to(root).as_posix() for file in files}


def test_every_recipe_that_ships_can_be_read() -> None:
    versions = known_versions()
    assert versions[0] == "3.11"
    for version in versions:
        for variant in ("plain", "bash"):
            assert load_recipe(version, variant, "x86_64").python == version


@pytest.mark.parametrize(
    ("version", "variant", "machine", "message"),
    [
        ("2.7", "plain", "x86_64", r"Python '2\.7'. Choose one of: 3\.11"),
        ("3.11", "fish", "x86_64", "variant 'fish'. Choose one of: bash, plain"),
        ("3.11", "plain", "riscv64", "this machine is 'riscv64'"),
    ],
)
def test_what_has_no_recipe_is_refused_with_a_way_out(
    version: str, variant: str, machine: str, message: str
) -> None:
    with pytest.raises(BaseImageError, match=message):
        load_recipe(version, variant, machine)


@pytest.mark.parametrize(
    ("path", "package", "plain", "bash"),
    [
        ("usr/bin/python3.11", "python3.11", True, True),
        ("usr/lib/test/one.py", "python3.11", False, False),
        ("usr/lib/test/x86_64-linux-gnu", "bash", False, True),
        ("usr/bin/bash", "bash", False, True),
        ("usr/bin/bashbug", "bash", False, False),
        ("usr/bin/perl", "perl-base", False, False),
        ("var/lib/dpkg/status", None, False, False),
    ],
)
def test_a_recipe_wants_a_path(path: str, package: str, plain: bool, bash: bool) -> None:
    assert recipe("plain").wants(path, package) is plain
    assert recipe("bash").wants(path, package) is bash


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("./lib/x86_64-linux-gnu/libc.so.6", "usr/lib/x86_64-linux-gnu/libc.so.6"),
        ("lib64/ld-linux-x86-64.so.2", "usr/lib64/ld-linux-x86-64.so.2"),
        ("./usr/lib/os-release", "usr/lib/os-release"),
        ("./etc/passwd", "etc/passwd"),
        ("./library/x", "library/x"),
    ],
)
def test_paths_are_merged_into_usr(path: str, expected: str) -> None:
    assert merged(path) == expected


def test_only_debians_own_archives_are_taken_from_apt() -> None:
    targets = [
        "nodistro\tmain\thttp://other.example/node",
        "bookworm\tstable\thttp://other.example/engine",
        "bookworm\tmain\thttp://mirror.example/debian/",
        "bookworm\tmain\thttp://second.example/debian/",
        "bookworm-security\tmain\thttp://mirror.example/security/",
    ]
    assert mirrors_among("\n".join(targets)) == {
        "": "http://mirror.example/debian/",
        "-security": "http://mirror.example/security/",
    }


def test_the_mirror_can_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEOFLOW_DEBIAN_MIRROR", "http://a.example http://b.example")
    assert mirrors() == {"": "http://a.example", "-security": "http://b.example"}


def test_a_root_holds_what_the_recipe_wants_and_nothing_else(tmp_path: Path) -> None:
    used = assemble(unpacked_into(tmp_path / "unpacked"), tmp_path / "root", recipe())
    assert paths_below(tmp_path / "root") == {
        "bin",
        "etc/bundle.crt",
        "etc/passwd",
        "lib",
        "usr/bin/python",
        "usr/bin/python3.11",
        "usr/lib/libc.so.6",
        "usr/share/doc/libc6/copyright",
    }
    assert [package.name for package in used] == ["certs", "libc6", "python3.11"]


def test_certificates_become_one_bundle_in_the_order_of_their_names(tmp_path: Path) -> None:
    assemble(unpacked_into(tmp_path / "unpacked"), tmp_path / "root", recipe())
    bundle = (tmp_path / "root/etc/bundle.crt").read_text()
    assert bundle == "usr/share/certs/a.crt\nusr/share/certs/b.crt\n"


def test_a_link_that_leads_nowhere_is_refused(tmp_path: Path) -> None:
    unpacked = unpacked_into(tmp_path / "unpacked")
    (unpacked.folder / "usr/bin/python3.11").unlink()
    with pytest.raises(BaseImageError, match=r"lead nowhere: 'usr/bin/python'"):
        assemble(unpacked, tmp_path / "root", recipe())


def test_a_layer_has_sorted_names_and_fixed_times_and_owners(tmp_path: Path) -> None:
    root = tmp_path / "root"
    assemble(unpacked_into(tmp_path / "unpacked"), root, recipe())
    pack_layer(root, tmp_path / "layer", recipe().owners)
    with open_layer(tmp_path / "layer") as layer:
        members = {member.name: member for member in layer}
    parts = [name.split("/") for name in members]
    assert parts == sorted(parts)
    assert {member.mtime for member in members.values()} == {LAYER_TIME}
    assert {name for name, m in members.items() if m.uid or m.gid} == {"home/leoflow"}
    assert members["tmp"].mode == 0o1777


def test_the_same_tree_gives_the_same_layer(tmp_path: Path) -> None:
    digests = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        unpacked = unpacked_into(tmp_path / name / "unpacked")
        assemble(unpacked, tmp_path / name / "root", recipe())
        if name == "two":
            set_times(tmp_path / name / "root")
        digests.append(pack_layer(tmp_path / name / "root", tmp_path / name / "layer"))
    assert digests[0] == digests[1]


def test_the_key_tells_variant_python_and_architecture() -> None:
    machines = ("x86_64", "aarch64")
    keys = {base_key(load_recipe("3.11", v, m)) for v in ("plain", "bash") for m in machines}
    assert len(keys) == 4
    assert any(key.startswith("python3.11-plain-amd64-") for key in keys)


@pytest.mark.skipif(platform.system() != "Linux", reason="bases are made on Linux")
def test_missing_tools_are_named_and_leave_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    said: list[str] = []
    with pytest.raises(BaseImageError, match=r"apt-get install .*mmdebstrap"):
        ensure_base("3.11", "plain", tmp_path / "home", said.append)
    assert [path.name for path in (tmp_path / "home/cache/bases").iterdir()] == [".lock"]
    assert said


def test_a_disk_without_room_is_refused_before_anything_is_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=20_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    said: list[str] = []
    with pytest.raises(BaseImageError, match=r"takes 350 MB .* has 20 MB left\. Free some space"):
        ensure_base("3.11", "plain", tmp_path, said.append)
    assert said == []
