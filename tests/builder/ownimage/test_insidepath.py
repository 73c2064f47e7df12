"""Paths in an unpacked image."""

from __future__ import annotations

from pathlib import Path

import pytest
from leoflow_builder.ownimage.insidepath import harmless_link, inside


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "usr" / "lib").mkdir(parents=True)
    (root / "usr" / "lib" / "x").touch()
    for name, target in {
        "lib": "usr/lib",
        "abs": "/usr/lib",
        "up": "../../../usr",
        "chain": "abs/x",
        "usr/back": "../lib",
    }.items():
        (root / name).symlink_to(target)
    return root


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/usr/lib/x", "usr/lib/x"),
        ("lib/x", "usr/lib/x"),
        ("abs/x", "usr/lib/x"),
        ("up/lib", "usr/lib"),
        ("chain", "usr/lib/x"),
        ("usr/back/./x", "usr/lib/x"),
        ("../../etc/passwd", "etc/passwd"),
        ("lib/../x", "usr/x"),
        ("none/at/all", "none/at/all"),
        ("", "."),
    ],
)
def test_links_are_followed_as_in_the_image(root: Path, path: str, expected: str) -> None:
    assert inside(root, path) == root / expected


def test_the_last_link_can_be_left_alone(root: Path) -> None:
    assert inside(root, "abs", follow_last=False) == root / "abs"
    assert inside(root, "abs/x", follow_last=False) == root / "usr/lib/x"


def test_a_circle_ends(root: Path) -> None:
    (root / "a").symlink_to("b")
    (root / "b").symlink_to("a")
    with pytest.raises(OSError, match="symbolic links"):
        inside(root, "a/x")


@pytest.mark.parametrize(
    ("target", "depth", "expected"),
    [
        ("x", 2, "x"),
        ("../x", 2, "../x"),
        ("../../../x", 2, "../../x"),
        ("../../../x", 0, "x"),
        ("/x/y", 2, "../../x/y"),
        ("/../x", 1, "../x"),
        ("/", 0, "."),
        ("a//b/./c", 1, "a/b/c"),
    ],
)
def test_a_link_leads_no_higher_than_the_root(target: str, depth: int, expected: str) -> None:
    assert harmless_link(target, depth) == expected
