"""Layers laid over each other, well-meant and hostile ones."""

from __future__ import annotations

import tarfile
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from leoflow_builder.ownimage.unpacking import RootTree, UnpackError
from tarlayer import Entry, layer_tar, unpack

LOWER = [
    Entry("d", "folder"),
    Entry("d/a", text="a"),
    Entry("d/b", text="b"),
    Entry("d/sub", "folder"),
    Entry("d/sub/c", text="c"),
    Entry("link", "link", "d"),
]


@pytest.mark.parametrize(
    ("upper", "expected"),
    [
        ([Entry("d/a", text="new")], {"d/a": "new"}),
        ([Entry("d/.wh.a")], {"d/a": None}),
        ([Entry("d/.wh.sub")], {"d/sub": None, "d/sub/c": None}),
        ([Entry("./d/.wh.none")], {}),
        ([Entry("d/.wh..wh.plnk")], {}),
        # Opaque: what was below goes, wherever in the layer it is said.
        (
            [Entry("d/.wh..wh..opq"), Entry("d/n", text="n")],
            {"d/a": None, "d/b": None, "d/sub": None, "d/sub/c": None, "d/n": "n"},
        ),
        (
            [Entry("d/sub/n", text="n"), Entry("d/.wh..wh..opq")],
            {"d/a": None, "d/b": None, "d/sub/c": None, "d/sub/n": "n"},
        ),
        (
            [Entry("d/sub", "folder"), Entry("d/sub/n", text="n"), Entry("d/.wh..wh..opq")],
            {"d/a": None, "d/b": None, "d/sub/c": None, "d/sub/n": "n"},
        ),
        # A whiteout speaks of the layers below, not of its own.
        ([Entry("d/a", text="new"), Entry("d/.wh.a")], {"d/a": "new"}),
        ([Entry("d/sub/n", text="n"), Entry("d/.wh.sub")], {"d/sub/c": None, "d/sub/n": "n"}),
        ([Entry("none/.wh.x"), Entry("none/.wh..wh..opq")], {}),
        # A folder is kept, anything else is replaced.
        ([Entry("d", "folder", mode=0o700)], {}),
        ([Entry("d/sub", text="file")], {"d/sub": "file", "d/sub/c": None}),
        ([Entry("d/a", "folder")], {"d/a": "/"}),
        ([Entry("link", "folder"), Entry("link/x", text="x")], {"link": "/", "link/x": "x"}),
        ([Entry("link", text="file")], {"link": "file"}),
        # Through a link of a lower layer, as with /lib -> usr/lib.
        ([Entry("link/x", text="x")], {"d/x": "x"}),
        ([Entry("link/.wh.a")], {"d/a": None}),
        # Links.
        ([Entry("h", "hard link", "d/a")], {"h": "a"}),
        ([Entry("h", "hard link", "link/a")], {"h": "a"}),
        ([Entry("d/a", "hard link", "d/a")], {}),
        ([Entry("h", "hard link", "link")], {"h": "-> d"}),
        ([Entry("d/abs", "link", "/d/sub/c")], {"d/abs": "-> ../d/sub/c"}),
        ([Entry("d/abs", "link", "/")], {"d/abs": "-> .."}),
        # What only root could make, or nobody needs here.
        ([Entry("null", "device"), Entry("d/a", "pipe")], {"d/a": None}),
        ([Entry("./", "folder")], {}),
    ],
)
def test_an_upper_layer_changes_what_is_below(
    upper: Sequence[Entry], expected: dict[str, str | None], tmp_path: Path
) -> None:
    before = unpack(tmp_path / "before", LOWER)
    after = unpack(tmp_path / "after", LOWER, upper)
    wanted: dict[str, str | None] = {**before, **expected}
    assert after == {name: value for name, value in wanted.items() if value is not None}


@pytest.mark.parametrize(
    "hostile",
    [
        [Entry("../outside", text="x")],
        [Entry("/../../outside", text="x")],
        [Entry("d/../../../outside", text="x")],
        [Entry("up", "link", "../.."), Entry("up/outside", text="x")],
        [Entry("abs", "link", "{0}"), Entry("abs/outside", text="x")],
        [Entry("abs", "link", "{0}/outside"), Entry("abs", text="x")],
        [Entry("a", "link", "b"), Entry("b", "link", "../../.."), Entry("a/outside", text="x")],
        [Entry("d", "folder"), Entry("d/l", "link", ".."), Entry("d/l/../outside", text="x")],
        [Entry("victim", "hard link", "../victim"), Entry("victim", text="x")],
        [Entry("abs", "link", "{0}"), Entry("h", "hard link", "abs/victim"), Entry("h", text="x")],
        [Entry("../.wh.victim")],
        [Entry("up", "link", ".."), Entry("up/.wh.victim")],
        [Entry("up", "link", ".."), Entry("up/.wh..wh..opq")],
        [Entry(".wh...")],
        [Entry(".wh.")],
    ],
)
def test_nothing_outside_is_written_or_removed(hostile: list[Entry], tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("safe")
    root = tmp_path / "root"
    filled = [one._replace(text=one.text.format(tmp_path)) for one in hostile]
    with suppress(UnpackError):
        unpack(root, filled, filled)
    assert (tmp_path / "victim").read_text() == "safe"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["root", "victim"]


NAMES = st.lists(st.sampled_from(["a", "b", "..", ".", ".wh.a", ".wh..wh..opq"]), max_size=4)
KINDS = st.sampled_from(["file", "folder", "link", "hard link"])
TARGETS = st.lists(st.sampled_from(["", "a", "b", "..", "../..", "."]), max_size=4).map("/".join)
ENTRIES = st.builds(Entry, NAMES.map("/".join), KINDS, TARGETS)


@given(st.lists(st.lists(ENTRIES, max_size=6), max_size=3))
def test_whatever_layers_say_all_stays_inside(layers: list[list[Entry]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        place = Path(name).resolve()
        root = place / "x" / "root"
        root.mkdir(parents=True)
        (place / "a").write_text("safe")
        tree = RootTree(root)
        for entries in layers:
            with tarfile.open(fileobj=BytesIO(layer_tar(entries)), mode="r|") as archive:
                try:
                    tree.lay(archive)
                except UnpackError:
                    break
        assert sorted(place.iterdir()) == [place / "a", place / "x"]
        assert list((place / "x").iterdir()) == [root]
        assert (place / "a").read_text() == "safe"


def test_only_the_executable_bit_of_a_mode_counts(tmp_path: Path) -> None:
    unpack(
        tmp_path / "r",
        [Entry("s", text="s", mode=0o4711), Entry("f", mode=0o000), Entry("d", "folder", mode=0)],
    )
    modes = {name: (tmp_path / "r" / name).stat().st_mode & 0o7777 for name in "sfd"}
    assert modes == {"s": 0o755, "f": 0o644, "d": 0o755}


def test_a_file_below_a_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(UnpackError, match=r"'f/x' cannot be unpacked: .*Free some space"):
        unpack(tmp_path / "r", [Entry("f", text="f"), Entry("f/x", text="x")])


def test_links_in_a_circle_are_told(tmp_path: Path) -> None:
    with pytest.raises(UnpackError, match="symbolic links"):
        unpack(tmp_path / "r", [Entry("a", "link", "b"), Entry("b", "link", "a"), Entry("a/x")])


def test_a_hard_link_to_nothing_is_told(tmp_path: Path) -> None:
    with pytest.raises(UnpackError, match="'h' cannot be unpacked"):
        unpack(tmp_path / "r", [Entry("h", "hard link", "none")])
