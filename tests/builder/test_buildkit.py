"""The buildkit builder with an engine that only pretends."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from leoflow_builder.builder import BuiltImage, PlannedImage
from leoflow_builder.buildkit import BuildkitBuilder
from leoflow_builder.destination import Destination, Receipt
from leoflow_builder.engine import BuildOrder
from leoflow_builder.failure import EngineError
from leoflow_builder.layer import Layer
from leoflow_builder.oci.content import digest_of
from leoflow_builder.oci.engine_socket import Archive
from leoflow_builder.oci.layout import Bundle
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
BLOB = zstandard.compress(b"content")


class FakeEngine:
    """Keeps names of images; the id of a built one is made of what was in its context."""

    def __init__(self, manifests: bool = True, failing: bool = False) -> None:
        self.images: dict[str, str] = {}
        self.orders: list[BuildOrder] = []
        self.files: dict[str, str] = {}
        self.loaded: list[bytes] = []
        self._manifests, self._failing = manifests, failing

    def stores_manifests(self) -> bool:
        return self._manifests

    def image_id(self, reference: str) -> str | None:
        return self.images.get(reference)

    def tag(self, image_id: str, reference: str) -> None:
        self.images[reference] = image_id

    def load(self, archive: Archive) -> None:
        self.loaded.append(b"".join(archive.pieces))

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

    def export(self, order: BuildOrder, folder: Path, say: Callable[[str], None]) -> None:
        self.orders.append(order)
        (layout,) = order.contexts.values()
        shutil.copytree(layout.removeprefix("oci-layout://").partition("@")[0], folder)
        say("#1 done")


class Folder:
    """A destination that is no engine, and keeps what it is given."""

    is_engine, place = False, "memory"

    def __init__(self, is_engine: bool = False) -> None:
        self.is_engine = is_engine
        self.bundles: list[Bundle] = []

    def require(self) -> None: ...

    def has(self, name: str, image_id: str) -> bool:
        return False

    def receive(self, bundle: Bundle, say: Callable[[str], None]) -> Receipt:
        self.bundles.append(bundle)
        return Receipt(bundle.top.digest, 0)


@pytest.fixture
def layers(tmp_path: Path) -> list[Layer]:
    (tmp_path / "some.tar").write_bytes(BLOB)
    return [Layer("dag", tmp_path / "some.tar", "sha256:1", digest_of(BLOB), len(BLOB), 7, False)]


def build(
    engine: FakeEngine, layers: list[Layer], work: Path, destination: Destination | None = None
) -> BuiltImage:
    planned = PlannedImage(PLAN, tuple(layers))
    into = destination or Folder(is_engine=True)
    return BuildkitBuilder(engine, work).build([planned], "a:1", into, print)


def test_an_engine_that_stores_manifests_is_given_the_layers_as_they_are(
    layers: list[Layer], tmp_path: Path
) -> None:
    engine = FakeEngine()
    build(engine, layers, tmp_path / "work")
    assert engine.files["Dockerfile"].startswith("ARG SOURCE_DATE_EPOCH\nFROM leoflow-layers\n")
    (context,) = engine.orders[0].contexts.items()
    assert context[0] == "leoflow-layers"
    assert re.fullmatch(r"oci-layout:///.*/stack@sha256:[0-9a-f]{64}", context[1])


def test_a_classic_store_is_given_the_tars_by_name(layers: list[Layer], tmp_path: Path) -> None:
    engine = FakeEngine(manifests=False)
    build(engine, layers, tmp_path / "work")
    assert engine.files["dag.tar"] == "content"
    assert "ADD --link dag.tar /" in engine.files["Dockerfile"]
    assert engine.orders[0].contexts == {}


def test_for_any_other_place_the_image_is_exported(layers: list[Layer], tmp_path: Path) -> None:
    folder = Folder()
    image = build(FakeEngine(), layers, tmp_path / "work", folder)
    (bundle,) = folder.bundles
    assert bundle.images[0].diff_ids == ("sha256:1",)
    assert (image.digest, image.compressed_bytes) == (bundle.images[0].manifest.digest, len(BLOB))


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
    assert (image.compressed_bytes, image.digest_reason) == (len(BLOB), None)


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
