"""The record of a built image is a hint, and a broken one is none."""

from pathlib import Path

import pytest
from leoflow_builder.builder import Blob, BuiltImage
from leoflow_builder.imagerecord import read_record, write_record

IMAGE = BuiltImage("sha256:1", "sha256:1", None, (Blob("sha256:2", 3),))
CLASSIC = BuiltImage("sha256:1", None, "classic", None)


@pytest.mark.parametrize("image", [IMAGE, CLASSIC])
def test_what_is_written_is_read(tmp_path: Path, image: BuiltImage) -> None:
    write_record(tmp_path / "images" / "key.json", image)
    assert read_record(tmp_path / "images" / "key.json") == image


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"image_id": 1, "blobs": [{"x": 1}]}'])
def test_a_broken_record_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "key.json").write_text(text)
    assert read_record(tmp_path / "key.json") is None


def test_a_missing_record_is_none(tmp_path: Path) -> None:
    assert read_record(tmp_path / "key.json") is None
