"""What is told about the layers of a built image."""

from pathlib import Path

from leoflow_builder.builder import Blob
from leoflow_builder.layer import Layer
from leoflow_builder.layerreport import report_layers

LAYERS = [
    Layer("base", Path(), "t1", "b1", 5, 10, True),
    Layer("dag", Path(), "t2", "b2", 7, 20, False),
]
BLOBS = [Blob("b1", 5), Blob("b2", 6)]


def test_all_four_names_are_reported_from_the_bottom_up() -> None:
    assert [one.name for one in report_layers(LAYERS, BLOBS)] == ["base", "agent", "deps", "dag"]


def test_a_layer_that_the_image_lacks_has_no_size() -> None:
    deps = report_layers(LAYERS, BLOBS)[2]
    assert (deps.digest, deps.size_bytes) == (None, 0)


def test_digest_and_size_are_the_compressed_blob_s() -> None:
    dag = report_layers(LAYERS, BLOBS)[3]
    assert (dag.digest, dag.size_bytes, dag.reused) == ("b2", 6, False)


def test_without_blobs_the_tar_s_digest_is_told_and_no_size() -> None:
    dag = report_layers(LAYERS, None)[3]
    assert (dag.digest, dag.size_bytes) == ("t2", None)


def test_the_layers_of_a_base_of_the_user_s_own_are_added_up() -> None:
    blobs = [Blob("x", 100), Blob("y", 200), Blob("b2", 6)]
    base, _, _, dag = report_layers(LAYERS[1:], blobs, "sha256:own")
    assert (base.digest, base.size_bytes) == ("sha256:own", 300)
    assert (dag.digest, dag.size_bytes) == ("b2", 6)
