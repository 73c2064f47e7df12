"""An engine is sent what it lacks, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest
from fake_images import FakeImages
from images_contract import ImagesContract
from leoflow_builder.failure import EngineError
from leoflow_builder.oci.engine_socket import Archive
from leoflow_builder.oci.engine_store import EngineStore
from leoflow_builder.oci.image import OciImage
from leoflow_builder.oci.layout import Bundle
from ocisample import make_sample


class TestFake(ImagesContract):
    """See the contract."""

    @pytest.fixture
    def images(self) -> FakeImages:
        return FakeImages()

    @pytest.fixture
    def name(self) -> Callable[[], str]:
        numbers = count()
        return lambda: f"docker.io/test/image:{next(numbers)}"


@pytest.fixture
def engine() -> FakeImages:
    return FakeImages()


@pytest.fixture
def store(engine: FakeImages, tmp_path: Path) -> EngineStore:
    return EngineStore(engine, tmp_path / "memory")


def receive(store: EngineStore, image: OciImage, name: str = "docker.io/a/b:1") -> int:
    return store.receive(Bundle(name, (image,)), print).sent_bytes


def layers(image: OciImage) -> set[str]:
    return {one.digest for one in image.layers}


def test_the_first_image_is_sent_whole(
    store: EngineStore, engine: FakeImages, tmp_path: Path
) -> None:
    image = make_sample(tmp_path)
    assert receive(store, image) == sum(one.size_bytes for one in image.layers)
    assert engine.loads[0] >= layers(image)
    assert store.has("docker.io/a/b:1", image.manifest.digest)


def test_of_a_changed_image_only_the_changed_layer_is_sent(
    store: EngineStore, engine: FakeImages, tmp_path: Path
) -> None:
    first, second = make_sample(tmp_path, dag="1"), make_sample(tmp_path, dag="2")
    receive(store, first)
    assert receive(store, second) == second.layers[1].size_bytes
    assert engine.loads[1] & layers(first) == set()


def test_layers_of_an_image_that_was_removed_are_sent_again(
    store: EngineStore, engine: FakeImages, tmp_path: Path
) -> None:
    first, second = make_sample(tmp_path, dag="1"), make_sample(tmp_path, dag="2")
    receive(store, first)
    engine.remove("docker.io/a/b:1")
    receive(store, second)
    assert engine.loads[1] >= layers(second)


def test_an_engine_that_lost_a_layer_gets_all_of_them(
    store: EngineStore, engine: FakeImages, tmp_path: Path
) -> None:
    first, second = make_sample(tmp_path, dag="1"), make_sample(tmp_path, dag="2")
    receive(store, first)
    del engine.blobs[first.layers[0].digest]
    receive(store, second, "docker.io/a/b:2")
    assert [len(one & layers(second)) for one in engine.loads] == [1, 1, 2]


class Full(FakeImages):
    """An engine whose disk is full: it takes a part of what it is sent, with or without the name.

    As with a real one, an image goes with its last name.
    """

    renames = False

    def load(self, archive: Archive) -> None:
        if self.loads and not self.renames:
            raise EngineError("no space left on device")
        super().load(archive)
        if len(self.loads) > 1:
            raise EngineError("no space left on device")


@pytest.mark.parametrize("renames", [False, True])
def test_a_name_keeps_its_image_when_the_next_one_cannot_be_loaded(
    tmp_path: Path, renames: bool
) -> None:
    engine = Full()
    engine.renames = renames
    store, first = EngineStore(engine, tmp_path / "memory"), make_sample(tmp_path, dag="1")
    receive(store, first)
    with pytest.raises(EngineError, match="no space left"):
        receive(store, make_sample(tmp_path, base="new", dag="2"))
    found = engine.find("docker.io/a/b:1")
    assert found is not None
    assert found.image_id == first.manifest.digest


def test_what_was_loaded_into_another_engine_does_not_count(tmp_path: Path) -> None:
    one, other = FakeImages("unix:///one"), FakeImages("unix:///other")
    image = make_sample(tmp_path)
    for engine in (one, other):
        receive(EngineStore(engine, tmp_path / "memory"), image)
    assert other.loads[0] >= layers(image)


def test_an_image_without_its_name_is_given_it_again(
    store: EngineStore, engine: FakeImages, tmp_path: Path
) -> None:
    image = make_sample(tmp_path)
    receive(store, image)
    assert store.has("docker.io/other/name:1", image.manifest.digest)
    assert engine.find("docker.io/other/name:1") is not None
    assert not store.has("docker.io/a/b:1", "sha256:gone")


def test_a_broken_memory_only_costs_time(
    store: EngineStore, engine: FakeImages, tmp_path: Path
) -> None:
    receive(store, make_sample(tmp_path, dag="1"))
    (memory,) = (tmp_path / "memory").iterdir()
    for broken in ("{", "[]", '{"sha256:x": null}'):
        memory.write_text(broken)
        receive(store, make_sample(tmp_path, dag=f"after-{len(broken)}"))
    assert len(engine.loads) == 4


def test_an_engine_that_does_not_answer_is_told_before_anything_is_made(
    store: EngineStore, engine: FakeImages
) -> None:
    engine.answers = False
    with pytest.raises(EngineError, match="no container engine answers"):
        store.require()
