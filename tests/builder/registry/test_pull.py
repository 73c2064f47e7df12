"""The image of a platform is found behind a name, and its blobs are fetched once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fake_registry import FakeRegistry
from leoflow_builder.registry.descriptor import (
    DOCKER_LIST,
    DOCKER_MANIFEST,
    OCI_INDEX,
    Descriptor,
    Index,
    choose,
    fits,
    parse_manifest,
)
from leoflow_builder.registry.download import blob_path
from leoflow_builder.registry.failure import PlatformMissing, Refused
from leoflow_builder.registry.image import ImageToPush
from leoflow_builder.registry.pull import pull, resolve
from leoflow_builder.registry.push import push
from leoflow_builder.registry.reference import Reference
from registry_sample import described, make_image, make_index, make_manifest, open_registry

DIGEST = "sha256:" + "0" * 64
AMD64 = "linux/amd64"


def pushed(fake: FakeRegistry, image: ImageToPush) -> Reference:
    """Push an image and name it."""
    reference = Reference(fake.host, "team/dag", "1")
    with open_registry(fake.host) as registry:
        push(registry, reference, image)
    return reference


def entry(platform: str | None, attests: bool = False) -> Descriptor:
    return Descriptor("", f"sha256:{abs(hash(platform)):064x}", 1, platform, attests)


@pytest.mark.parametrize(
    ("offered", "wanted", "expected"),
    [
        ("linux/amd64", "linux/amd64", True),
        ("linux/amd64", "linux/arm64", False),
        ("linux/arm64/v8", "linux/arm64", True),
        ("linux/arm64", "linux/arm64/v8", True),
        ("linux/arm/v7", "linux/arm", True),
        ("linux/arm", "linux/arm/v7", False),
        ("linux/arm/v7", "linux/arm/v6", False),
        ("linux/arm64", "linux/arm", False),
    ],
)
def test_a_platform_without_variant_takes_any(offered: str, wanted: str, expected: bool) -> None:
    assert fits(offered, wanted) is expected


def test_attestations_are_no_images() -> None:
    listed = (entry("unknown/unknown", True), entry(AMD64, True), entry("linux/arm64"))
    index = Index(OCI_INDEX, DIGEST, b"", listed)
    assert choose(index, "linux/arm64", "dag").platform == "linux/arm64"
    with pytest.raises(
        PlatformMissing, match=r"'dag' has no image for 'linux/amd64'. It has 'linux/arm64'\."
    ):
        choose(index, AMD64, "dag")


def test_an_index_without_images_says_so() -> None:
    with pytest.raises(PlatformMissing, match="It has no platform at all"):
        choose(Index(OCI_INDEX, DIGEST, b"", ()), AMD64, "dag")


def test_an_attestation_is_known_by_its_mark() -> None:
    mark = {"vnd.docker.reference.type": "attestation-manifest"}
    one = {"mediaType": "", "digest": DIGEST, "size": 1}
    document = {
        "manifests": [
            {**one, "annotations": mark},
            {**one, "platform": {"os": "unknown", "architecture": "unknown"}},
            {**one, "platform": {"os": "linux", "architecture": "arm", "variant": "v7"}},
        ]
    }
    index = parse_manifest(json.dumps(document).encode(), OCI_INDEX, DIGEST)
    assert isinstance(index, Index)
    assert [one.is_attestation for one in index.manifests] == [True, True, False]
    assert index.manifests[2].platform == "linux/arm/v7"


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "is not a JSON object"),
        ({}, "has the media type 'text/plain', which leoflow does not read"),
        ({"schemaVersion": 1, "fsLayers": []}, "Docker schema 2"),
        ({"layers": [], "mediaType": DOCKER_MANIFEST}, "cannot be read: KeyError"),
        ({"manifests": [{"digest": "sha256:x", "size": 1}]}, "no digest: 'sha256:x'"),
        ({"manifests": [{"digest": DIGEST, "size": -1}]}, "no size: -1"),
        ({"manifests": 3}, "cannot be read: TypeError"),
    ],
)
def test_what_is_no_manifest_is_refused(document: Any, message: str) -> None:
    with pytest.raises(Refused, match=message):
        parse_manifest(json.dumps(document).encode(), "text/plain", DIGEST)


def test_docker_s_media_types_are_read_too(fake: FakeRegistry, tmp_path: Path) -> None:
    image = make_image(tmp_path)
    document = json.loads(image.top.content)
    manifest = make_manifest(document | {"mediaType": DOCKER_MANIFEST}, DOCKER_MANIFEST)
    platform = {"platform": {"os": "linux", "architecture": "amd64"}}
    index = make_manifest({"manifests": [described(manifest) | platform]}, DOCKER_LIST)
    reference = pushed(fake, ImageToPush((manifest, index), image.blobs))
    with open_registry(fake.host) as registry:
        found = resolve(registry, reference, AMD64)
    assert (found.media_type, found.digest) == (DOCKER_MANIFEST, manifest.digest)
    assert [layer.size_bytes for layer in found.layers] == [4, 4, 3]


def test_an_index_in_an_index_is_followed_but_not_for_ever(
    fake: FakeRegistry, tmp_path: Path
) -> None:
    image = make_index(tmp_path)
    for depth in range(2):
        platform = {"platform": {"os": "linux", "architecture": "amd64"}}
        outer = make_manifest({"manifests": [described(image.top) | platform]}, OCI_INDEX)
        image = ImageToPush((*image.manifests, outer), image.blobs)
        reference = pushed(fake, image)
        with open_registry(fake.host) as registry:
            if depth == 0:
                assert resolve(registry, reference, AMD64).digest == image.manifests[0].digest
            else:
                with pytest.raises(Refused, match="index of indexes"):
                    resolve(registry, reference, AMD64)


def test_a_single_image_of_another_platform_is_refused(fake: FakeRegistry, tmp_path: Path) -> None:
    reference = pushed(fake, make_image(tmp_path, machine="arm64"))
    with (
        open_registry(fake.host) as registry,
        pytest.raises(PlatformMissing, match=f"'{reference}' has .* It has 'linux/arm64'"),
    ):
        pull(registry, reference, AMD64, tmp_path / "pulled")


def test_blobs_that_are_there_are_not_fetched_again(fake: FakeRegistry, tmp_path: Path) -> None:
    image = make_image(tmp_path)
    reference = pushed(fake, image)
    folder = tmp_path / "pulled"
    with open_registry(fake.host) as registry:
        first = pull(registry, reference, AMD64, folder)
        first.layers[0].write_bytes(b"evil")
        fake.requests.clear()
        second = pull(registry, reference, AMD64, folder)
    fetched = [one.path for one in fake.requests if "/blobs/" in one.path]
    assert fetched == [f"/v2/team/dag/blobs/{image.blobs[0].digest}"]
    assert second.layers[0].read_bytes() == b"base"
    assert second == first


def test_a_layer_that_is_named_twice_is_fetched_once(fake: FakeRegistry, tmp_path: Path) -> None:
    image = make_image(tmp_path, (b"same", b"same", b"other"))
    reference = pushed(fake, image)
    fake.requests.clear()
    with open_registry(fake.host) as registry:
        pulled = pull(registry, reference, AMD64, tmp_path / "pulled")
    assert [path.read_bytes() for path in pulled.layers] == [b"same", b"same", b"other"]
    assert len(fake.methods("/blobs/")) == 3
    assert pulled.config == blob_path(tmp_path / "pulled", image.blobs[-1].digest)
