"""A layer's blob: the same bytes for the same tree, and the digests that OCI names."""

import hashlib
from pathlib import Path

import pytest
import zstandard
from leoflow_builder.layerblob import Level, open_layer, pack_layer


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    folder = tmp_path / "tree"
    (folder / "a").mkdir(parents=True)
    (folder / "a" / "file").write_bytes(bytes(range(256)) * 4096)
    (folder / "link").symlink_to("a/file")
    return folder


@pytest.mark.parametrize("level", ["often", "seldom"])
def test_diff_id_and_digest_are_those_of_tar_and_blob(
    tree: Path, tmp_path: Path, level: Level
) -> None:
    packed = pack_layer(tree, tmp_path / "blob", level=level)
    content = (tmp_path / "blob").read_bytes()
    assert packed.digest == f"sha256:{hashlib.sha256(content).hexdigest()}"
    assert packed.size_bytes == len(content)
    plain = zstandard.ZstdDecompressor().decompressobj().decompress(content)
    assert packed.diff_id == f"sha256:{hashlib.sha256(plain).hexdigest()}"


def test_the_number_of_processors_does_not_show(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = pack_layer(tree, tmp_path / "many")
    original = zstandard.ZstdCompressionParameters.from_level

    def one_thread(level: int, **settings: int) -> zstandard.ZstdCompressionParameters:
        return original(level, **{**settings, "threads": 1})

    monkeypatch.setattr(
        zstandard, "ZstdCompressionParameters", type("P", (), {"from_level": one_thread})
    )
    assert pack_layer(tree, tmp_path / "one") == many


def test_a_layer_of_several_frames_is_read_as_one(tree: Path, tmp_path: Path) -> None:
    pack_layer(tree, tmp_path / "blob")
    plain = (
        zstandard.ZstdDecompressor().decompressobj().decompress((tmp_path / "blob").read_bytes())
    )
    pieces = [plain[:1000], plain[1000:]]
    (tmp_path / "framed").write_bytes(b"".join(zstandard.compress(one) for one in pieces))
    with open_layer(tmp_path / "framed") as archive:
        assert [one.name for one in archive] == ["a", "a/file", "link"]
