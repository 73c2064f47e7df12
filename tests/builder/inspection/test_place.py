"""Where an image is looked for, in which order, and what is said if it is nowhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from leoflow_builder.failure import EngineError
from leoflow_builder.inspection.choice import find_image
from leoflow_builder.inspection.failure import ImageNotFound, NotAnImage
from leoflow_builder.inspection.layout import LayoutFolder
from leoflow_builder.inspection.place import Doors, Place, open_image, places
from leoflow_builder.inspection.source import ImageSource
from leoflow_builder.registry.failure import NotInRegistry

from .image_sample import FakeEngine, layout_files, make_sample, tar_of, write_folder


def nothing_there(text: str) -> AbstractContextManager[ImageSource]:
    raise NotInRegistry(f"no '{text}'")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("out", [Place("disk", "out")]),
        ("out:weather", [Place("disk", "out", "weather")]),
        ("team/dag:1", [Place("engine", "team/dag:1"), Place("registry", "team/dag:1")]),
        ("docker://out", [Place("registry", "out")]),
        ("docker-daemon:out", [Place("engine", "out")]),
        ("oci:out", [Place("disk", "out")]),
        ("oci:out:1", [Place("disk", "out", "1")]),
        ("oci-archive:image", [Place("disk", "image")]),
        ("docker-archive:image", [Place("disk", "image")]),
        ("./missing", [Place("disk", "./missing")]),
        ("image.tar", [Place("disk", "image.tar")]),
    ],
)
def test_what_exists_comes_first_and_a_prefix_decides(text: str, expected: list[Place]) -> None:
    assert places(text, lambda path: path == "out") == expected


def test_an_image_of_the_engine_is_not_looked_for_in_a_registry() -> None:
    engine = FakeEngine({"a:1": tar_of(layout_files(make_sample()))})
    with open_image("a:1", Doors(lambda: engine, nothing_there)) as opened:
        assert find_image(opened.source, "linux/amd64").platform == "linux/amd64"
    assert engine.saved == 1


def test_without_an_engine_the_registry_is_asked(tmp_path: Path) -> None:
    @contextmanager
    def registry(text: str) -> Iterator[ImageSource]:
        yield LayoutFolder(write_folder(layout_files(make_sample()), tmp_path))

    def no_engine() -> FakeEngine:
        raise EngineError("no container engine answers")

    with open_image("a:1", Doors(no_engine, registry)) as opened:
        assert find_image(opened.source, "linux/amd64").platform == "linux/amd64"


def test_an_image_that_is_nowhere_is_told_with_what_was_tried() -> None:
    doors = Doors(lambda: FakeEngine({}), nothing_there)
    with pytest.raises(ImageNotFound) as caught, open_image("a:1", doors):
        pass
    assert str(caught.value).splitlines() == [
        "there is no image 'a:1'. Check the name. Looked for it:",
        "  in the container engine: there is none of that name",
        "  in the registry: no 'a:1'",
    ]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"readme": b"hello"}, "no OCI layout"),
        ({"index.json": b"["}, "is not a JSON object"),
        ({"index.json": b"{}"}, "no manifest of an image"),
        ({"index.json": b'{"manifests": []}'}, "lists no image"),
        ({"index.json": b'{"manifests": [{"digest": 1}]}'}, "cannot be read as a manifest"),
        (
            {"index.json": b'{"manifests": [{"digest": "sha256:../../x", "size": 1}]}'},
            "no digest",
        ),
    ],
)
def test_a_folder_that_is_no_image_is_told(
    tmp_path: Path, files: dict[str, bytes], said: str
) -> None:
    from leoflow_builder.failure import BuildError

    folder = write_folder(files, tmp_path / "x")
    doors = Doors(lambda: FakeEngine({}), nothing_there)
    with pytest.raises(BuildError, match=said), open_image(str(folder), doors) as opened:
        find_image(opened.source, "linux/amd64")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"not a tar", "cannot be read as a tar"),
        (b"", "cannot be read as a tar"),
        (b"\x1f\x8bbroken", "cannot be read as a tar"),
        (tar_of({"readme": b"hello"}), "is no image: it has neither"),
        (tar_of({"manifest.json": b"[{}]"}), "cannot be read"),
        (tar_of({"manifest.json": b'[{"Config": "x", "Layers": []}]'}), "cannot be read"),
        (tar_of({"readme": b"hello"})[:700], "cannot be read as a tar"),
    ],
)
def test_an_archive_that_is_no_image_is_told(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "image.tar"
    path.write_bytes(content)
    doors = Doors(lambda: FakeEngine({}), nothing_there)
    with pytest.raises(NotAnImage, match=said), open_image(str(path), doors) as opened:
        find_image(opened.source, "linux/amd64")


def test_a_missing_path_is_told() -> None:
    doors = Doors(lambda: FakeEngine({}), nothing_there)
    with pytest.raises(ImageNotFound, match="no file or folder"), open_image("./none", doors):
        pass


def test_one_of_several_images_is_chosen_by_its_name(tmp_path: Path) -> None:
    sample = make_sample()
    amd64, arm64 = sample.entries[:2]
    amd64["annotations"] = {"org.opencontainers.image.ref.name": "one"}
    arm64["annotations"] = {"org.opencontainers.image.ref.name": "two"}
    write_folder(layout_files(sample), tmp_path)
    doors = Doors(lambda: FakeEngine({}), nothing_there)
    with open_image(f"{tmp_path}:two", doors) as opened:
        assert find_image(opened.source, None, opened.tag).platform == "linux/arm64"
    with (
        open_image(f"oci:{tmp_path}:three", doors) as opened,
        pytest.raises(NotAnImage, match="three"),
    ):
        find_image(opened.source, None, opened.tag)
