"""What cannot be meant is refused before anything is made, with what to ask for instead."""

from __future__ import annotations

from pathlib import Path

import pytest
from leoflow_builder.failure import WishRefused
from leoflow_builder.wish import BuildWish
from leoflow_builder.wishcheck import check_wish


@pytest.mark.parametrize(
    ("wish", "text"),
    [
        (BuildWish(platforms=("linux/s390x",)), "'linux/s390x' is none .* linux/amd64"),
        (BuildWish(push=True), "--push needs to know where to"),
        (BuildWish(push=True, tag="a/b:1", output=Path("/x")), "exclude each other"),
        (BuildWish(platforms=("linux/amd64", "linux/arm64")), "its own platform only"),
    ],
)
def test_what_does_not_go_together(tmp_path: Path, wish: BuildWish, text: str) -> None:
    with pytest.raises(WishRefused, match=text):
        check_wish(wish, tmp_path)


@pytest.mark.parametrize("output", ["out", "deep/out", "image.tar"])
def test_an_output_in_the_project_would_be_packed(tmp_path: Path, output: str) -> None:
    wish = BuildWish(output=tmp_path / output)
    with pytest.raises(WishRefused, match="lies in the project"):
        check_wish(wish, tmp_path)
    (tmp_path / ".leoflowignore").write_text("out/\n*.tar\n")
    check_wish(wish, tmp_path)


def test_whatever_goes_together_passes(tmp_path: Path) -> None:
    both = ("linux/amd64", "linux/arm64")
    check_wish(BuildWish(), tmp_path / "project")
    check_wish(BuildWish(output=tmp_path / "out", platforms=both), tmp_path / "project")
    check_wish(BuildWish(push=True, tag="host/x:1", platforms=both), tmp_path / "project")
