"""Where an image is looked for, and what a pin does."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_images import FakeImages
from keptsample import NAME, make_base, write_layout
from leoflow_builder.failure import BuildError
from leoflow_builder.inspection.failure import ImageNotFound
from leoflow_builder.oci.image import OciImage
from leoflow_builder.oci.layout import Bundle, make_archive
from leoflow_builder.ownimage.finding import Doors, Found, ImageFinder, Wanted, absolute
from leoflow_builder.registry.destination import RegistryDestination
from leoflow_builder.registry.reference import parse_reference

sys.path.insert(0, str(Path(__file__).parents[1] / "registry"))

from fake_registry import FakeRegistry
from registry_sample import open_registry

FIRST, SECOND = make_base("first"), make_base("second")


class SavingImages(FakeImages):
    """An engine that also gives images back, and counts how often."""

    saved = 0

    def save(self, reference: str) -> Iterator[bytes]:
        self.saved += 1
        digest = self.names.get(reference, reference)
        image = next(one for one in (FIRST, SECOND) if one.manifest.digest == digest)
        yield from make_archive(Bundle(NAME, (image,))).pieces


class Shop:
    """All that a search takes, with an engine and a registry that are no real ones."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.images, self.said = folder, SavingImages(), list[str]()

    def put(self, image: OciImage) -> None:
        self.images.load(make_archive(Bundle(NAME, (image,))))

    def find(self, text: str, pinned: str | None = None, strict: bool = False) -> Found:
        wanted = Wanted("base_image", text, self.folder, "linux/amd64", pinned, strict)
        doors = Doors(lambda: self.images, open_registry)
        return ImageFinder(self.folder / "home", self.said.append, doors).find(wanted)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeRegistry]:
    with FakeRegistry() as fake:
        monkeypatch.setenv("LEOFLOW_INSECURE_REGISTRIES", fake.host)
        yield fake


def push(image: OciImage, reference: str) -> str:
    RegistryDestination(parse_reference(reference)).receive(Bundle(reference, (image,)), print)
    return image.manifest.digest


def test_an_engine_is_asked_first_and_saved_from_once(shop: Shop) -> None:
    shop.put(FIRST)
    found = [shop.find("team/base:1") for _ in range(2)]
    assert {one.kept.digest for one in found} == {FIRST.manifest.digest}
    assert found[0].engine_id == FIRST.manifest.digest
    assert found[0].name == NAME
    assert shop.images.saved == 1


def test_a_registry_is_next(shop: Shop, registry: FakeRegistry) -> None:
    reference = f"{registry.host}/team/base:1"
    digest = push(FIRST, reference)
    found = shop.find(reference)
    assert (found.kept.digest, found.name, found.engine_id) == (digest, reference, None)


def test_without_an_engine_a_registry_is_enough(shop: Shop, registry: FakeRegistry) -> None:
    shop.images.answers = False
    digest = push(FIRST, f"{registry.host}/team/base:1")
    assert shop.find(f"{registry.host}/team/base:1").kept.digest == digest
    assert shop.find(f"{registry.host}/team/base@{digest}").name is None


def test_a_folder_is_named_from_the_project(shop: Shop) -> None:
    write_layout(FIRST, shop.folder / "bases" / "mine")
    for text in ("bases/mine", "./bases/mine", "oci:bases/mine", f"oci:bases/mine:{NAME}"):
        assert shop.find(text).kept.digest == FIRST.manifest.digest
    assert shop.find("bases/mine").name is None


def test_a_pinned_image_in_the_cache_takes_no_registry(shop: Shop, registry: FakeRegistry) -> None:
    digest = push(FIRST, f"{registry.host}/team/base:1")
    shop.find(f"{registry.host}/team/base:1")
    requests = len(registry.requests)
    assert shop.find(f"{registry.host}/team/base:1", digest).kept.digest == digest
    assert len(registry.requests) == requests


def test_a_pinned_image_is_pulled_by_its_digest(shop: Shop, registry: FakeRegistry) -> None:
    reference = f"{registry.host}/team/base:1"
    pinned, now = push(FIRST, reference), push(SECOND, reference)
    found = shop.find(reference, pinned)
    assert (found.kept.digest, found.name) == (pinned, None)
    assert f"means '{now}' now; the build keeps to '{pinned}'" in "".join(shop.said)


def test_an_image_that_was_built_anew_is_told_and_not_taken(shop: Shop) -> None:
    shop.put(FIRST)
    pinned = shop.find("team/base:1").kept.digest
    shop.put(SECOND)
    found = shop.find("team/base:1", pinned)
    assert (found.kept.digest, found.name) == (pinned, None)
    assert f"means '{SECOND.manifest.digest}' now" in "".join(shop.said)
    assert shop.find("team/base:1").kept.digest == SECOND.manifest.digest


def test_a_pinned_image_that_is_nowhere_is_told(shop: Shop) -> None:
    write_layout(SECOND, shop.folder / "base")
    with pytest.raises(BuildError, match=r"is nowhere any more.*leoflow lock --upgrade"):
        shop.find("./base", FIRST.manifest.digest, strict=True)
    assert shop.find("./base", FIRST.manifest.digest).kept.digest == SECOND.manifest.digest
    assert "is nowhere any more" in "".join(shop.said)


def test_every_place_is_told_where_none_has_it(shop: Shop, registry: FakeRegistry) -> None:
    with pytest.raises(ImageNotFound, match=r"(?s)in the engine: there is none.*in the registry: "):
        shop.find(f"{registry.host}/team/none:1")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("python:3.11", "python:3.11"),
        ("team/base:1", "team/base:1"),
        ("./a", "oci:/p/a"),
        ("../a:1", "oci:/p/../a:1"),
        ("/x/a.tar", "oci:/x/a.tar"),
        ("a.tar", "oci:/p/a.tar"),
        ("oci:a:tag", "oci:/p/a:tag"),
        ("docker-archive:a.tar", "docker-archive:/p/a.tar"),
        ("docker://python:3.11", "docker://python:3.11"),
    ],
)
def test_only_what_looks_like_a_path_is_one(text: str, expected: str) -> None:
    assert absolute(text, Path("/p")) == expected
