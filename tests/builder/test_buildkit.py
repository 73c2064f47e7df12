"""The buildkit builder with an engine that only pretends."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from leoflow_builder.builder import BuiltImage
from leoflow_builder.buildkit import BuildkitBuilder
from leoflow_builder.engine import BuildOrder
from leoflow_builder.failure import EngineError
from leoflow_builder.layer import Layer
from leoflow_builder.plan import ImagePlan

PLAN = ImagePlan(
    platform="linux/amd64",
    base_reference=None,
    layers=(("dag", "sha256:1"),),
    environment=(("A", "two\nlines"),),
    user="65532:65532",
    entrypoint=("/usr/bin/python3.11",),
    labels=(),
)


class FakeEngine:
    """Keeps names of images; the id of a built one is made of what was in its context."""

    def __init__(self, manifests: bool = True, failing: bool = False) -> None:
        self.images: dict[str, str] = {}
        self.orders: list[BuildOrder] = []
        self.files: dict[str, str] = {}
        self._manifests, self._failing = manifests, failing

    def stores_manifests(self) -> bool:
        return self._manifests

    def image_id(self, reference: str) -> str | None:
        return self.images.get(reference)

    def tag(self, image_id: str, reference: str) -> None:
        self.images[reference] = image_id

    def build(self, order: BuildOrder, say: Callable[[str], None]) -> str:
        self.orders.append(order)
        self.files = {path.name: path.read_text() for path in order.context.iterdir()}
        self.files["Dockerfile"] = order.dockerfile.read_text()
        if self._failing:
            raise EngineError("no space left")
        say("#1 done")
        image_id = f"sha256:{json.dumps(self.files, sort_keys=True)}"
        self.images |= {order.tag: image_id, image_id: image_id}
        return image_id

    def manifest(self, reference: str, work: Path) -> Mapping[str, Any]:
        assert work.is_dir()
        assert reference in self.images
        return {"layers": [{"digest": "sha256:blob", "size": 7, "mediaType": "x"}]}


@pytest.fixture
def layers(tmp_path: Path) -> list[Layer]:
    (tmp_path / "some.tar").write_text("content")
    return [Layer("dag", tmp_path / "some.tar", "sha256:1", "sha256:2", 3, 7, False)]


def build(engine: FakeEngine, layers: list[Layer], work: Path) -> BuiltImage:
    return BuildkitBuilder(engine, work).build(PLAN, layers, "a:1", print)


def test_the_context_holds_the_tars_by_name(layers: list[Layer], tmp_path: Path) -> None:
    engine = FakeEngine()
    build(engine, layers, tmp_path / "work")
    assert engine.files["dag.tar.zst"] == "content"
    assert "ADD --link dag.tar.zst /" in engine.files["Dockerfile"]


def test_the_order_has_a_fixed_time_and_the_values_of_several_lines(
    layers: list[Layer], tmp_path: Path
) -> None:
    engine = FakeEngine()
    build(engine, layers, tmp_path / "work")
    assert engine.orders[0].arguments == {
        "SOURCE_DATE_EPOCH": "315619200",
        "LEOFLOW_TEXT_0": "two\nlines",
    }
    assert (engine.orders[0].tag, engine.orders[0].platform) == ("a:1", "linux/amd64")


def test_the_digest_and_the_blobs_are_the_manifest_s(layers: list[Layer], tmp_path: Path) -> None:
    image = build(FakeEngine(), layers, tmp_path / "work")
    assert image.digest == image.image_id
    assert (image.compressed_bytes, image.digest_reason) == (7, None)


def test_a_classic_store_has_no_digest_and_the_reason_is_told(
    layers: list[Layer], tmp_path: Path
) -> None:
    image = build(FakeEngine(manifests=False), layers, tmp_path / "work")
    assert (image.digest, image.blobs, image.compressed_bytes) == (None, None, None)
    assert "classic image store" in str(image.digest_reason)


@pytest.mark.parametrize("failing", [True, False])
def test_nothing_is_left_in_the_work_folder(
    layers: list[Layer], tmp_path: Path, failing: bool
) -> None:
    try:
        build(FakeEngine(failing=failing), layers, tmp_path / "work")
    except EngineError:
        assert failing
    assert list((tmp_path / "work").iterdir()) == []


def test_an_image_that_is_there_is_found(layers: list[Layer], tmp_path: Path) -> None:
    engine = FakeEngine()
    image = build(engine, layers, tmp_path / "work")
    assert BuildkitBuilder(engine, tmp_path).find(image, "a:1")


def test_another_tag_is_given_without_building(layers: list[Layer], tmp_path: Path) -> None:
    engine = FakeEngine()
    image = build(engine, layers, tmp_path / "work")
    assert BuildkitBuilder(engine, tmp_path).find(image, "b:2")
    assert engine.image_id("b:2") == image.image_id
    assert len(engine.orders) == 1


def test_an_image_that_was_removed_is_not_found(layers: list[Layer], tmp_path: Path) -> None:
    image = build(FakeEngine(), layers, tmp_path / "work")
    assert not BuildkitBuilder(FakeEngine(), tmp_path).find(image, "a:1")


def test_a_tag_that_means_another_image_now_is_moved_back(
    layers: list[Layer], tmp_path: Path
) -> None:
    engine = FakeEngine()
    image = build(engine, layers, tmp_path / "work")
    engine.images["a:1"] = "sha256:other"
    assert BuildkitBuilder(engine, tmp_path).find(image, "a:1")
    assert engine.image_id("a:1") == image.image_id
