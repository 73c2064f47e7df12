"""Archives in the cache, and what is unpacked of them."""

import os
from pathlib import Path
from typing import Any

import pytest
from leoflow_builder.baseimage import for_architecture
from leoflow_builder.debarchive import DebCache, control_file, extract, merged
from leoflow_builder.debpackage import DebPackage
from leoflow_builder.debpins import obtain
from leoflow_builder.recipe import BaseImageError


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


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_modes_do_not_depend_on_the_umask(tmp_path: Path, umask: int, deb: Any) -> None:
    _, archive = deb(tmp_path, "one", {"bin/run": "#!", "etc/one/set": "x"})
    before = os.umask(umask)
    try:
        extract(archive, tmp_path / "root", lambda _: True)
    finally:
        os.umask(before)
    modes = {p: (tmp_path / "root" / p).stat().st_mode & 0o777 for p in ("usr/bin/run", "etc/one")}
    assert modes == {"usr/bin/run": 0o755, "etc/one": 0o755}
    assert (tmp_path / "root/etc/one/set").stat().st_mode & 0o777 == 0o644


def test_only_what_is_wanted_is_written(tmp_path: Path, deb: Any) -> None:
    _, archive = deb(tmp_path, "one", {"usr/a": "1", "usr/b": "2", "usr/c": "->a"})
    assert extract(archive, tmp_path / "root", lambda path: path != "usr/b") == ["usr/a", "usr/c"]
    assert (tmp_path / "root/usr/c").readlink() == Path("a")


def test_a_hard_link_to_what_is_not_wanted_has_its_content(tmp_path: Path, deb: Any) -> None:
    tree = tmp_path / "two-1"
    (tree / "usr").mkdir(parents=True)
    (tree / "usr" / "a").write_text("same")
    (tree / "usr" / "b").hardlink_to(tree / "usr" / "a")
    _, archive = deb(tmp_path, "two", {})
    extract(archive, tmp_path / "root", lambda path: path == "usr/b")
    extract(archive, tmp_path / "other", lambda path: path == "usr/a")
    assert (tmp_path / "root/usr/b").read_text() == "same"
    assert (tmp_path / "other/usr/a").read_text() == "same"


def test_a_control_file_is_read_and_may_be_missing(tmp_path: Path, deb: Any) -> None:
    _, archive = deb(tmp_path, "one", {}, postinst="#!/bin/sh\nexit 0\n")
    assert control_file(archive, "postinst").endswith("exit 0\n")
    assert control_file(archive, "preinst") == ""


def test_a_broken_archive_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.deb").write_bytes(b"!<arch>\nnothing")
    with pytest.raises(BaseImageError, match=r"bad\.deb' cannot be read.*Remove it"):
        extract(tmp_path / "bad.deb", tmp_path / "root", lambda _: True)


def test_a_file_with_another_hash_does_not_get_into_the_cache(tmp_path: Path) -> None:
    cache = DebCache(tmp_path)
    cache.folder.mkdir(parents=True)
    (tmp_path / "file").write_text("not it")
    with pytest.raises(BaseImageError, match="'one' 1 has SHA-256"):
        cache.take(tmp_path / "file", DebPackage("one", "1", "all", "0" * 64))
    assert list(cache.folder.iterdir()) == []


def test_a_full_cache_asks_no_mirror(tmp_path: Path, deb: Any, mirror: Any) -> None:
    one, archive = deb(tmp_path, "one", {})
    index, cache = mirror([(one, archive)]), DebCache(tmp_path)
    assert obtain([one], index, cache, print, strict=True) == (one,)
    assert obtain([one], index, cache, print, strict=True) == (one,)
    assert index.asked == ["one"]


def test_an_older_pin_is_used_as_long_as_it_can_be_had(
    tmp_path: Path, deb: Any, mirror: Any
) -> None:
    old, new = deb(tmp_path, "one", {}, "1"), deb(tmp_path, "one", {}, "2")
    index = mirror([old, new])
    assert obtain([old[0]], index, DebCache(tmp_path), print, strict=True) == (old[0],)


def test_a_pin_that_is_gone_is_an_error_when_strict(tmp_path: Path, deb: Any, mirror: Any) -> None:
    gone = DebPackage("one", "1", "all", "0" * 64)
    index = mirror([deb(tmp_path, "one", {}, "2")])
    with pytest.raises(BaseImageError, match=r"no longer has 'one' 1.*`leoflow lock --upgrade`"):
        obtain([gone], index, DebCache(tmp_path), print, strict=True)


def test_else_it_is_said_and_what_belongs_to_it_is_renewed_with_it(
    tmp_path: Path, deb: Any, mirror: Any
) -> None:
    gone = DebPackage("one", "1", "all", "0" * 64)
    sibling, other = deb(tmp_path, "one-data", {}, "1"), deb(tmp_path, "other", {}, "7")
    new = [deb(tmp_path, "one", {}, "2"), deb(tmp_path, "one-data", {}, "2")]
    said: list[str] = []
    pins = [gone, sibling[0], other[0]]
    had = obtain(
        pins, mirror([sibling, other, *new]), DebCache(tmp_path), said.append, strict=False
    )
    assert had == (new[0][0], new[1][0], other[0])
    assert said == [
        "the Debian mirror no longer has 'one' 1: its current packages are taken instead"
    ]


def test_pins_of_another_architecture_do_not_count() -> None:
    pins = [DebPackage("a", "1", word, word * 8) for word in ("amd64", "all", "arm64")]
    assert [one.architecture for one in for_architecture(pins, "arm64")] == ["all", "arm64"]
