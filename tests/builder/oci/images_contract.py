"""What every engine does with images, the fake and the real ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from leoflow_builder.failure import EngineError
from leoflow_builder.oci.engine_images import EngineImages
from leoflow_builder.oci.layout import Bundle, make_archive
from ocisample import make_sample


class ImagesContract:
    """Subclasses give the fixtures `images` and `name`, which makes names of the test's own."""

    def test_the_engine_answers(self, images: EngineImages) -> None:
        images.require()
        assert isinstance(images.stores_manifests(), bool)

    def test_an_unknown_image_is_not_found(
        self, images: EngineImages, name: Callable[[], str]
    ) -> None:
        assert images.find(name()) is None

    def test_a_loaded_image_is_found_by_name_and_by_id(
        self, images: EngineImages, name: Callable[[], str], tmp_path: Path
    ) -> None:
        image, own = make_sample(tmp_path), name()
        images.load(make_archive(Bundle(own, (image,))))
        found = images.find(own)
        assert found is not None
        assert found.diff_ids == image.diff_ids
        assert images.find(found.image_id) == found

    def test_an_image_gets_a_second_name(
        self, images: EngineImages, name: Callable[[], str], tmp_path: Path
    ) -> None:
        one, other = name(), name()
        images.load(make_archive(Bundle(one, (make_sample(tmp_path),))))
        found = images.find(one)
        assert found is not None
        images.tag(found.image_id, other)
        assert images.find(other) == found

    def test_layers_that_the_engine_has_need_not_be_sent(
        self, images: EngineImages, name: Callable[[], str], tmp_path: Path
    ) -> None:
        first, second = make_sample(tmp_path, dag="1"), make_sample(tmp_path, dag="2")
        images.load(make_archive(Bundle(name(), (first,))))
        own, there = name(), frozenset({first.layers[0].digest})
        images.load(make_archive(Bundle(own, (second,)), there))
        found = images.find(own)
        assert found is not None
        assert found.diff_ids == second.diff_ids

    def test_a_layer_that_is_nowhere_is_an_error(
        self, images: EngineImages, name: Callable[[], str], tmp_path: Path
    ) -> None:
        image, own = make_sample(tmp_path, base=name()), name()
        with pytest.raises(EngineError):
            images.load(make_archive(Bundle(own, (image,)), frozenset({image.layers[0].digest})))
        images.remove(own)
        assert images.find(own) is None

    def test_what_is_not_there_can_be_removed(
        self, images: EngineImages, name: Callable[[], str]
    ) -> None:
        images.remove(name())
