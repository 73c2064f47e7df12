"""The images of a real engine keep to the same contract as the fake's."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from leoflow_builder.oci.engine_client import ClientImages
from leoflow_builder.oci.engine_images import EngineImages, SocketImages, open_images
from leoflow_builder.oci.engine_store import EngineStore
from leoflow_builder.oci.layout import Bundle

sys.path.insert(0, str(Path(__file__).parents[1] / "builder" / "oci"))

from images_contract import ImagesContract
from ocisample import make_sample

pytestmark = pytest.mark.engine


@pytest.fixture
def name() -> Iterator[Callable[[], str]]:
    """Make names of the test's own, whose images are removed after it."""
    made: list[str] = []

    def make() -> str:
        made.append(f"docker.io/leoflow-test/{uuid4().hex}:1")
        return made[-1]

    yield make
    subprocess.run(["docker", "image", "rm", "--force", *made], capture_output=True)


class TestSocket(ImagesContract):
    """See the contract; the standard library alone."""

    @pytest.fixture
    def images(self) -> EngineImages:
        found = open_images()
        assert isinstance(found, SocketImages)
        return found


class TestClient(ImagesContract):
    """See the contract; through the docker library, as for an engine on another machine."""

    @pytest.fixture
    def images(self) -> EngineImages:
        return ClientImages({"DOCKER_HOST": open_images().host})


def test_a_saved_image_is_an_archive(name: Callable[[], str], tmp_path: Path) -> None:
    images, own = open_images(), name()
    EngineStore(images, tmp_path / "memory").receive(Bundle(own, (make_sample(tmp_path),)), print)
    archive = b"".join(images.save(own))
    assert b"index.json" in archive or b"manifest.json" in archive


def test_a_changed_image_is_loaded_by_its_changed_layer_alone(
    name: Callable[[], str], tmp_path: Path
) -> None:
    store = EngineStore(open_images(), tmp_path / "memory")
    base = uuid4().hex
    first = make_sample(tmp_path, base=base, dag="1")
    second = make_sample(tmp_path, base=base, dag="2")
    store.receive(Bundle(name(), (first,)), print)
    receipt = store.receive(Bundle(name(), (second,)), print)
    assert receipt.sent_bytes == second.layers[1].size_bytes
