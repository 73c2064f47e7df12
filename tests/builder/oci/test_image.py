"""Manifest and configuration, made from values alone."""

import hashlib
import json
from pathlib import Path
from typing import Any

from leoflow_builder.oci.content import Content
from leoflow_builder.oci.image import BelowImage, make_image, make_index, stack_layers
from ocisample import make_layer, make_plan, make_sample


def document(content: Content) -> Any:
    return json.loads(b"".join(content.chunks()))


def test_the_manifest_names_configuration_and_layers_from_the_bottom_up(tmp_path: Path) -> None:
    image = make_sample(tmp_path)
    manifest = document(image.manifest)
    assert manifest["config"]["digest"] == image.config.digest
    assert [one["digest"] for one in manifest["layers"]] == [one.digest for one in image.layers]
    assert {one["mediaType"] for one in manifest["layers"]} == {
        "application/vnd.oci.image.layer.v1.tar+zstd"
    }
    assert manifest["annotations"] == {"org.opencontainers.image.title": "sample"}


def test_every_digest_and_size_is_that_of_the_bytes(tmp_path: Path) -> None:
    image = make_sample(tmp_path)
    for one in (*image.blobs, image.manifest):
        data = b"".join(one.chunks())
        assert one.digest == f"sha256:{hashlib.sha256(data).hexdigest()}"
        assert one.size_bytes == len(data)


def test_the_configuration_says_how_the_image_is_started(tmp_path: Path) -> None:
    config = document(make_sample(tmp_path).config)
    assert config["config"] == {
        "User": "65532:65532",
        "Env": ["PATH=/usr/bin", "TEXT=two\nlines"],
        "Entrypoint": ["/usr/bin/python3.11", "-I"],
        "WorkingDir": "/",
        "Labels": {},
    }
    assert (config["os"], config["architecture"]) == ("linux", "amd64")
    assert config["created"] == "1980-01-02T00:00:00Z"


def test_each_layer_has_its_name_in_the_history(tmp_path: Path) -> None:
    config = document(make_sample(tmp_path).config)
    assert [one["created_by"] for one in config["history"]] == ["leoflow: base", "leoflow: dag"]
    assert len(config["rootfs"]["diff_ids"]) == 2


def test_the_same_plan_gives_the_same_bytes_wherever_its_layers_lie(tmp_path: Path) -> None:
    one, other = make_sample(tmp_path / "one"), make_sample(tmp_path / "other")
    assert one.manifest == other.manifest


def test_a_variant_of_an_architecture_is_a_field_of_its_own(tmp_path: Path) -> None:
    config = document(make_sample(tmp_path, platform="linux/arm64/v8").config)
    assert (config["architecture"], config["variant"]) == ("arm64", "v8")


BELOW = BelowImage(
    config={
        "Env": ["PATH=/opt/bin", "KEPT=1"],
        "Labels": {"own": "label"},
        "Cmd": ["python3"],
        "WorkingDir": "/srv",
        "ExposedPorts": {"80/tcp": {}},
    },
    layers=(Content("application/vnd.oci.image.layer.v1.tar+gzip", "sha256:0", 5, b"below"),),
    diff_ids=("sha256:below",),
    history=({"created_by": "theirs"},),
)


def test_what_lies_below_stays_and_what_the_plan_says_wins(tmp_path: Path) -> None:
    layer = make_layer(tmp_path, "dag", "x")
    image = make_image(make_plan(mine="label"), [layer], BELOW)
    config = document(image.config)
    assert config["config"]["Env"] == ["PATH=/usr/bin", "KEPT=1", "TEXT=two\nlines"]
    assert config["config"]["Labels"] == {"own": "label", "mine": "label"}
    assert config["config"]["WorkingDir"] == "/srv"
    assert config["config"]["ExposedPorts"] == {"80/tcp": {}}
    assert "Cmd" not in config["config"]
    assert image.diff_ids == ("sha256:below", layer.diff_id)
    assert [one.digest for one in image.layers] == ["sha256:0", layer.digest]
    assert [one["created_by"] for one in config["history"]] == ["theirs", "leoflow: dag"]


def test_a_stack_of_layers_says_nothing_of_how_it_is_started(tmp_path: Path) -> None:
    layers = [make_layer(tmp_path, "dag", "x")]
    config = document(stack_layers(make_plan(a="b"), layers, BELOW).config)
    assert config["config"]["Env"] == BELOW.config["Env"]
    assert config["config"]["Labels"] == {"own": "label"}
    assert config["config"]["Entrypoint"] == []


def test_an_index_lists_manifests_in_the_given_order() -> None:
    index = make_index([{"digest": "b"}, {"digest": "a"}], {"k": "v"})
    assert document(index)["manifests"] == [{"digest": "b"}, {"digest": "a"}]
    assert document(index)["annotations"] == {"k": "v"}
