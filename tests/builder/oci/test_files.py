"""Layouts and archives: whole or not there, and nothing of others lost."""

from __future__ import annotations

import json
import os
import tarfile
from pathlib import Path
from threading import Thread

import pytest
from leoflow_builder.failure import BuildError
from leoflow_builder.oci import layout as layout_module
from leoflow_builder.oci.content import json_content
from leoflow_builder.oci.files import ArchiveFile, LayoutFolder
from leoflow_builder.oci.image import OciImage
from leoflow_builder.oci.layout import Attestation, Bundle, read_image
from leoflow_builder.oci.presence import blob_path, listed_in, name_of
from ocisample import make_sample

NAME = "docker.io/leoflow/sample:1"


def names(folder: Path) -> list[str | None]:
    return [name_of(one) for one in listed_in(folder)]


def test_a_layout_holds_the_image_under_its_name(tmp_path: Path) -> None:
    image = make_sample(tmp_path)
    receipt = LayoutFolder(tmp_path / "out").receive(Bundle(NAME, (image,)), print)
    assert receipt.image_id == image.manifest.digest
    assert json.loads((tmp_path / "out/oci-layout").read_text()) == {"imageLayoutVersion": "1.0.0"}
    (top,) = listed_in(tmp_path / "out")
    assert top["platform"] == {"os": "linux", "architecture": "amd64"}
    assert top["annotations"]["org.opencontainers.image.ref.name"] == "1"
    assert read_image(tmp_path / "out", "linux/amd64").diff_ids == image.diff_ids


def test_a_second_image_of_the_same_name_takes_its_place(tmp_path: Path) -> None:
    layout = LayoutFolder(tmp_path / "out")
    for dag in ("1", "2"):
        layout.receive(Bundle(NAME, (make_sample(tmp_path, dag=dag),)), print)
    assert names(tmp_path / "out") == [NAME]


def test_images_of_other_names_stay_and_shared_blobs_are_not_written_again(tmp_path: Path) -> None:
    layout = LayoutFolder(tmp_path / "out")
    first, second = make_sample(tmp_path, dag="1"), make_sample(tmp_path, dag="2")
    layout.receive(Bundle("docker.io/a/a:1", (first,)), print)
    receipt = layout.receive(Bundle("docker.io/b/b:1", (second,)), print)
    new = (second.layers[1], second.config, second.manifest)
    assert receipt.sent_bytes == sum(one.size_bytes for one in new)
    assert names(tmp_path / "out") == ["docker.io/a/a:1", "docker.io/b/b:1"]


def test_an_image_counts_as_there_only_while_all_of_it_is(tmp_path: Path) -> None:
    layout, image = LayoutFolder(tmp_path / "out"), make_sample(tmp_path)
    layout.receive(Bundle(NAME, (image,)), print)
    assert layout.has(NAME, image.manifest.digest)
    assert not layout.has("docker.io/leoflow/other:1", image.manifest.digest)
    assert not layout.has(NAME, "sha256:other")
    os.truncate(blob_path(tmp_path / "out", image.layers[0].digest), 3)
    assert not layout.has(NAME, image.manifest.digest)


def test_a_damaged_blob_is_written_again(tmp_path: Path) -> None:
    layout, image = LayoutFolder(tmp_path / "out"), make_sample(tmp_path)
    layout.receive(Bundle(NAME, (image,)), print)
    os.truncate(blob_path(tmp_path / "out", image.layers[0].digest), 3)
    layout.receive(Bundle(NAME, (image,)), print)
    assert layout.has(NAME, image.manifest.digest)


def test_a_folder_with_something_else_in_it_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letter").write_text("dear")
    with pytest.raises(BuildError, match="neither empty nor an OCI layout"):
        LayoutFolder(tmp_path / "home").require()
    LayoutFolder(tmp_path / "new").require()


def test_an_archive_is_a_layout_and_what_docker_loads(tmp_path: Path) -> None:
    image = make_sample(tmp_path)
    ArchiveFile(tmp_path / "x.tar").receive(Bundle(NAME, (image,)), print)
    with tarfile.open(tmp_path / "x.tar") as archive:
        names = archive.getnames()
        entry = json.load(archive.extractfile("manifest.json"))[0]  # type: ignore[arg-type]
    assert entry["RepoTags"] == [NAME]
    assert {*entry["Layers"], entry["Config"], "oci-layout", "index.json"} <= set(names)


def test_the_same_image_gives_the_same_archive(tmp_path: Path) -> None:
    for name in ("one", "other"):
        bundle = Bundle(NAME, (make_sample(tmp_path / name),))
        ArchiveFile(tmp_path / f"{name}.tar").receive(bundle, print)
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "other.tar").read_bytes()


def test_a_cut_archive_does_not_count_as_there(tmp_path: Path) -> None:
    archive, image = ArchiveFile(tmp_path / "x.tar"), make_sample(tmp_path)
    archive.receive(Bundle(NAME, (image,)), print)
    assert archive.has(NAME, image.manifest.digest)
    os.truncate(tmp_path / "x.tar", (tmp_path / "x.tar").stat().st_size - 600)
    assert not archive.has(NAME, image.manifest.digest)
    (tmp_path / "x.tar").write_bytes(b"no tar at all")
    assert not archive.has(NAME, image.manifest.digest)


@pytest.mark.parametrize("destination", [LayoutFolder, ArchiveFile])
def test_a_place_that_cannot_be_written_is_named(
    tmp_path: Path, destination: type[LayoutFolder | ArchiveFile]
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BuildError, match=r"file/out.* cannot be written.*--output"):
        destination(tmp_path / "file" / "out").receive(
            Bundle(NAME, (make_sample(tmp_path),)), print
        )


def test_a_failed_archive_leaves_the_one_before(tmp_path: Path) -> None:
    archive, image = ArchiveFile(tmp_path / "x.tar"), make_sample(tmp_path)
    archive.receive(Bundle(NAME, (image,)), print)
    other = make_sample(tmp_path, dag="other")
    Path(str(other.layers[1].source)).unlink()
    with pytest.raises(BuildError):
        archive.receive(Bundle(NAME, (other,)), print)
    assert archive.has(NAME, image.manifest.digest)
    assert [one.name for one in tmp_path.glob(".x.tar*")] == []


def broken(image: OciImage, how: str) -> OciImage:
    file = image.layers[0].source
    assert isinstance(file, Path)
    content = file.read_bytes()
    if how == "gone":
        file.unlink()
    else:
        file.write_bytes(content[:-1] if how == "cut" else bytes(len(content)))
    return image


@pytest.mark.parametrize("how", ["cut", "other bytes", "gone"])
@pytest.mark.parametrize("destination", [LayoutFolder, ArchiveFile])
def test_an_image_with_a_damaged_layer_is_not_written_and_the_fix_is_told(
    tmp_path: Path, destination: type[LayoutFolder | ArchiveFile], how: str
) -> None:
    bundle = Bundle(NAME, (broken(make_sample(tmp_path), how),))
    place = destination(tmp_path / "out.tar")
    with pytest.raises(BuildError, match=r"is damaged.*`leoflow cache prune --all`"):
        place.receive(bundle, print)
    assert not place.has(NAME, bundle.top.digest)


def test_nothing_of_a_cut_layer_is_sent(tmp_path: Path) -> None:
    # What an engine was promised and does not get, it waits for.
    pieces = broken(make_sample(tmp_path), "cut").layers[0].chunks()
    with pytest.raises(BuildError, match="is damaged"):
        next(pieces)


def test_two_that_write_into_one_layout_lose_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout, images = LayoutFolder(tmp_path / "out"), [make_sample(tmp_path, dag=d) for d in "12"]
    write = layout_module.write_whole
    second = Thread(target=lambda: layout.receive(Bundle("docker.io/b/b:1", (images[1],)), print))

    def slow(target: Path, content: bytes) -> None:
        if target.name == "index.json" and not second.ident:
            second.start()
            second.join(0.3)
        write(target, content)

    monkeypatch.setattr(layout_module, "write_whole", slow)
    layout.receive(Bundle("docker.io/a/a:1", (images[0],)), print)
    second.join()
    assert names(tmp_path / "out") == ["docker.io/a/a:1", "docker.io/b/b:1"]


def attestation(text: str) -> Attestation:
    manifest = json_content("application/vnd.oci.image.manifest.v1+json", {"said": text})
    blob = json_content("application/vnd.in-toto+json", {"text": text})
    return Attestation(manifest, (blob,), {"vnd.docker.reference.type": "attestation-manifest"})


def test_attestations_are_listed_beside_the_image_and_replaced_with_it(tmp_path: Path) -> None:
    layout = LayoutFolder(tmp_path / "out")
    for text in ("old", "new"):
        said = attestation(text)
        layout.receive(Bundle(NAME, (make_sample(tmp_path, dag=text),), (said,)), print)
    image, about = listed_in(tmp_path / "out")
    assert name_of(image) == NAME
    assert (name_of(about), about["digest"]) == (None, said.manifest.digest)
    assert about["platform"] == {"os": "unknown", "architecture": "unknown"}
    assert blob_path(tmp_path / "out", said.blobs[0].digest).exists()
    assert read_image(tmp_path / "out", "linux/amd64").manifest.digest == image["digest"]


def test_several_platforms_are_one_index(tmp_path: Path) -> None:
    images = tuple(make_sample(tmp_path, platform=f"linux/{one}") for one in ("amd64", "arm64"))
    bundle = Bundle(NAME, images)
    receipt = LayoutFolder(tmp_path / "out").receive(bundle, print)
    (top,) = listed_in(tmp_path / "out")
    assert receipt.image_id == top["digest"] == bundle.index().digest
    index = json.loads(blob_path(tmp_path / "out", top["digest"]).read_bytes())
    assert [one["platform"]["architecture"] for one in index["manifests"]] == ["amd64", "arm64"]
    assert LayoutFolder(tmp_path / "out").has(NAME, top["digest"])
