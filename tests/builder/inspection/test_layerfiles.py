"""What is read of a layer."""

from pathlib import Path

import pytest
from leoflow_builder.inspection.archive import open_archive
from leoflow_builder.inspection.failure import BrokenImage
from leoflow_builder.inspection.layerfiles import LayerFiles, read_layer
from leoflow_builder.inspection.layout import LayoutFolder
from leoflow_builder.inspection.source import Pointer

from .image_sample import digest_of, tar_of, write_folder


def read(
    folder: Path, blob: bytes, plain: bytes, wanted: frozenset[str] = frozenset()
) -> LayerFiles:
    digest = digest_of(blob)
    write_folder({f"blobs/{digest.replace(':', '/')}": blob}, folder)
    pointer = Pointer("application/vnd.oci.image.layer.v1.tar", digest, len(blob))
    return read_layer(LayoutFolder(folder), pointer, digest_of(plain), wanted)


def test_files_folders_and_links_are_told_apart(tmp_path: Path) -> None:
    tar = tar_of({"a/b": b"content"}, {"c": "a/b"})
    files = read(tmp_path, tar, tar)
    kinds = {path: entry.kind for path, entry in files.entries.items()}
    assert kinds == {"a": "folder", "a/b": "file", "c": "link"}
    assert files.entries["c"].content == "a/b"
    assert files.entries["a/b"].size_bytes == files.unpacked_bytes == 7


def test_paths_are_the_same_whoever_wrote_the_tar(tmp_path: Path) -> None:
    tar = tar_of({"./a": b"1", "/b": b"2"})
    assert set(read(tmp_path, tar, tar).entries) == {"a", "b"}


def test_documents_that_are_wanted_are_kept(tmp_path: Path) -> None:
    tar = tar_of({"a": b"1", "b": b"2"})
    assert read(tmp_path, tar, tar, frozenset({"b", "c"})).documents == {"b": b"2"}


def test_a_zstd_layer_of_several_frames_is_read_to_its_end(tmp_path: Path) -> None:
    import zstandard

    tar = tar_of({"a": b"1" * 5000})
    blob = zstandard.compress(tar[:3000]) + zstandard.compress(tar[3000:])
    assert read(tmp_path, blob, tar).unpacked_bytes == 5000


def test_an_empty_layer_has_nothing_in_it(tmp_path: Path) -> None:
    tar = tar_of({})
    assert read(tmp_path, tar, tar) == LayerFiles(0, {})


def test_what_unpacks_to_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BrokenImage, match="unpacks to"):
        read(tmp_path, tar_of({"a": b"1"}), tar_of({"a": b"2"}))


def test_a_blob_that_is_no_layer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BrokenImage, match="cannot be read"):
        read(tmp_path, b"x" * 2000, b"")


def test_an_old_docker_archive_may_link_to_a_shared_layer(tmp_path: Path) -> None:
    path = tmp_path / "image.tar"
    files = {
        "one/layer.tar": b"1",
        "manifest.json": b'[{"Config": "c", "Layers": ["two/layer.tar"]}]',
    }
    path.write_bytes(tar_of({**files, "c": b"{}"}, {"two/layer.tar": "../one/layer.tar"}))
    source = open_archive(path)
    source.top()
    with source.open_blob(Pointer("", digest_of(b"1"), 1)) as stream:
        assert stream.read() == b"1"
