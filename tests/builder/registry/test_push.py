"""A tag never leads to half an image, whatever goes wrong and when."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fake_login import TokenLogin
from fake_registry import FakeRegistry, Fault, Reply, error
from leoflow_builder.registry.client import Registry
from leoflow_builder.registry.credential import Credential, find_nothing
from leoflow_builder.registry.failure import (
    AccessDenied,
    DigestMismatch,
    IncompleteImage,
    RegistryError,
)
from leoflow_builder.registry.image import ImageToPush
from leoflow_builder.registry.push import push
from leoflow_builder.registry.reference import Reference
from registry_sample import Waits, make_blob, make_image, make_index, open_registry, random_bytes

# Those of a first push of an index: three for each of five blobs, two for each of two inner
# manifests, one for the tag.
REQUESTS = 20
ADA = Credential("this test", "ada", "secret-word")


def lenient(**options: Any) -> FakeRegistry:
    """Make a registry that takes manifests without their parts, so that only the order helps."""
    return FakeRegistry(strict=False, **options)


@pytest.mark.parametrize("at", range(REQUESTS))
@pytest.mark.parametrize(
    "what",
    [
        pytest.param({"cut": "before"}, id="cut"),
        pytest.param({"cut": "before", "times": -1}, id="cut-for-ever"),
        pytest.param({"cut": "in request"}, id="cut-in-request"),
        pytest.param({"cut": "after"}, id="answer-lost"),
        pytest.param({"cut": "after", "times": -1}, id="answers-lost-for-ever"),
        pytest.param({"reply": Reply(500)}, id="error"),
        pytest.param({"reply": error(403, "DENIED")}, id="denied"),
        pytest.param({"reply": error(404, "NAME_UNKNOWN")}, id="unknown"),
    ],
)
def test_no_fault_at_any_request_leaves_half_an_image(
    what: dict[str, Any], at: int, tmp_path: Path
) -> None:
    image = make_index(tmp_path)
    fault = Fault(skip=at, **what)
    with lenient() as fake, open_registry(fake.host) as registry:
        fake.faults.append(fault)
        reference = Reference(fake.host, "team/dag", "1")
        try:
            push(registry, reference, image, at_once=1)
        except RegistryError:
            assert fake.tags["team/dag"].get("1") in (None, image.top.digest)
        else:
            assert fake.tags["team/dag"] == {"1": image.top.digest}
        assert fake.ever_incomplete == []
        # Afterwards the same push goes through, from whatever was reached.
        fake.faults.clear()
        push(registry, reference, image, at_once=1)
        assert fake.tags["team/dag"] == {"1": image.top.digest}
        assert fake.ever_incomplete == fake.incomplete_tags() == []


def test_every_request_of_a_push_was_among_those_that_failed(tmp_path: Path) -> None:
    with lenient() as fake, open_registry(fake.host) as registry:
        push(registry, Reference(fake.host, "team/dag", "1"), make_index(tmp_path), at_once=1)
        assert len(fake.requests) == REQUESTS


@pytest.mark.parametrize("at", range(24))
def test_a_fault_while_a_tag_is_moved_leaves_the_old_image(at: int, tmp_path: Path) -> None:
    before, after = make_index(tmp_path), make_image(tmp_path, (b"shared", b"new"))
    denied = Fault(skip=at, times=-1, reply=error(403, "DENIED"))
    with lenient(login=TokenLogin()) as fake, open_registry(fake.host, lambda *_: ADA) as registry:
        reference = Reference(fake.host, "team/dag", "1")
        push(registry, reference, before)
        fake.faults.append(denied)
        try:
            push(registry, reference, after)
        except RegistryError:
            assert fake.tags["team/dag"] == {"1": before.top.digest}
        assert fake.ever_incomplete == []


def test_the_tag_comes_last_and_inner_manifests_before_outer_ones(tmp_path: Path) -> None:
    image = make_index(tmp_path)
    with FakeRegistry() as fake, open_registry(fake.host) as registry:
        push(registry, Reference(fake.host, "team/dag", "1"), image)
        paths = [one.path for one in fake.requests if one.method == "PUT"]
    names = [path.rpartition("/")[2] for path in paths if "/manifests/" in path]
    assert names == [image.manifests[0].digest, image.manifests[1].digest, "1"]
    assert all("/blobs/" in path for path in paths[:5])


def test_manifests_that_are_there_are_not_sent_again_but_for_the_tag(tmp_path: Path) -> None:
    image = make_index(tmp_path)
    with FakeRegistry() as fake, open_registry(fake.host) as registry:
        first = push(registry, Reference(fake.host, "team/dag", "1"), image)
        second = push(registry, Reference(fake.host, "team/dag", "2"), image)
        assert fake.tags["team/dag"] == {"1": image.top.digest, "2": image.top.digest}
    assert (first.manifests_sent, second.manifests_sent) == (3, 1)


def test_a_blob_that_is_named_twice_is_sent_once(tmp_path: Path) -> None:
    image = make_index(tmp_path)
    with FakeRegistry() as fake, open_registry(fake.host) as registry:
        pushed = push(registry, Reference(fake.host, "team/dag", "1"), image)
    assert len(image.blobs) == 6
    assert pushed.blobs_sent == 5


def test_what_was_sent_mounted_and_there_is_counted(tmp_path: Path) -> None:
    image = make_image(tmp_path, (b"there", b"elsewhere", b"new"))
    there, elsewhere, new, config = image.blobs
    image = replace(image, blobs=(there, replace(elsewhere, mount_from="base"), new, config))
    with FakeRegistry() as fake, open_registry(fake.host) as registry:
        registry.push_blob("team/dag", there)
        registry.push_blob("base", elsewhere)
        pushed = push(registry, Reference(fake.host, "team/dag", "1"), image)
    assert (pushed.blobs_sent, pushed.blobs_mounted, pushed.blobs_skipped) == (2, 1, 1)
    assert pushed.sent_bytes == new.size_bytes + config.size_bytes


def test_blobs_go_up_side_by_side_and_progress_is_told_in_turn(tmp_path: Path) -> None:
    image = make_image(tmp_path, [random_bytes() for _ in range(6)])
    threads: set[int] = set()
    inside = threading.Lock()
    done: dict[str, int] = {}

    def progress(digest: str, done_bytes: int, total_bytes: int) -> None:
        assert inside.acquire(blocking=False), "two calls at once"
        threads.add(threading.get_ident())
        done[digest] = done_bytes
        assert done_bytes <= total_bytes
        inside.release()

    with FakeRegistry() as fake, open_registry(fake.host) as registry:
        push(registry, Reference(fake.host, "team/dag", "1"), image, progress)
    assert done == {blob.digest: blob.size_bytes for blob in image.blobs}
    assert 1 < len(threads) <= 4


def test_after_a_failure_no_further_blob_is_begun(tmp_path: Path) -> None:
    image = make_image(tmp_path, [random_bytes(100) for _ in range(40)])
    with FakeRegistry() as fake, open_registry(fake.host) as registry:
        fake.faults.append(Fault("POST", times=-1, reply=error(403, "DENIED")))
        with pytest.raises(RegistryError, match="DENIED"):
            push(registry, Reference(fake.host, "team/dag", "1"), image)
        assert len(fake.requests) < 40
        assert fake.methods("/manifests/") == []


def test_what_interrupts_a_push_ends_its_uploads(tmp_path: Path) -> None:
    image = make_image(tmp_path, [random_bytes(3_000_000) for _ in range(8)])

    def progress(digest: str, done_bytes: int, total_bytes: int) -> None:
        if done_bytes:
            raise KeyboardInterrupt

    with FakeRegistry() as fake, open_registry(fake.host) as registry:
        with pytest.raises(KeyboardInterrupt):
            push(registry, Reference(fake.host, "team/dag", "1"), image, progress)
        assert fake.content == {}


def test_a_failure_does_not_wait_for_what_waits(tmp_path: Path) -> None:
    image = make_image(tmp_path, [random_bytes(100) for _ in range(3)])
    busy, denied = image.blobs[0].digest, image.blobs[1].digest
    with FakeRegistry() as fake:
        fake.faults.append(Fault(part=busy, times=-1, reply=error(429, "B", Retry_After="200")))
        fake.faults.append(Fault(part=denied, skip=0, reply=error(403, "DENIED")))
        started = time.monotonic()
        with (
            Registry(fake.host, find_nothing, insecure=True) as registry,
            pytest.raises(AccessDenied, match="HTTP 403"),
        ):
            push(registry, Reference(fake.host, "team/dag", "1"), image)
        assert time.monotonic() - started < 20


def _without(image: ImageToPush, index: int) -> ImageToPush:
    return replace(image, blobs=image.blobs[:index] + image.blobs[index + 1 :])


def test_an_image_that_lacks_a_part_is_refused_before_anything_is_sent(
    fake: FakeRegistry, tmp_path: Path
) -> None:
    image, index = make_image(tmp_path), make_index(tmp_path)
    backwards = replace(index, manifests=index.manifests[::-1])
    gone = make_blob(tmp_path, b"gone")
    gone.path.unlink()
    broken = {
        "names 'sha256:.*', which is not among": [
            *(_without(image, place) for place in range(len(image.blobs))),
            backwards,
            replace(index, manifests=index.manifests[1:]),
        ],
        "there is no manifest to push": [replace(image, manifests=())],
        "cannot be read at '.*': No such file": [replace(image, blobs=(*image.blobs, gone))],
    }
    for message, images in broken.items():
        for one in images:
            with (
                open_registry(fake.host) as registry,
                pytest.raises(IncompleteImage, match=message),
            ):
                push(registry, Reference(fake.host, "team/dag", "1"), one)
    assert fake.requests == []


def test_an_image_that_contradicts_itself_is_refused_before_anything_is_sent(
    fake: FakeRegistry, tmp_path: Path
) -> None:
    image = make_image(tmp_path)
    changed = replace(image.top, content=image.top.content + b" ")
    longer = replace(image.blobs[0], size_bytes=99)
    other = make_blob(tmp_path, b"another")
    lying = replace(other, digest=image.blobs[0].digest)
    broken = {
        "is really 'sha256:": replace(image, manifests=(changed,)),
        "has 4 bytes instead of 99": replace(image, blobs=(longer, *image.blobs[1:])),
        "has 4 bytes; it has 7": replace(image, blobs=(lying, *image.blobs[1:])),
    }
    for message, one in broken.items():
        with open_registry(fake.host) as registry, pytest.raises(DigestMismatch, match=message):
            push(registry, Reference(fake.host, "team/dag", "1"), one)
    assert fake.requests == []


def test_an_image_is_not_pushed_under_the_digest_of_another(
    fake: FakeRegistry, tmp_path: Path
) -> None:
    reference = Reference(fake.host, "team/dag", "1", "sha256:" + "0" * 64)
    with (
        open_registry(fake.host) as registry,
        pytest.raises(DigestMismatch, match="Leave the digest out"),
    ):
        push(registry, reference, make_image(tmp_path))
    assert fake.requests == []


def test_a_busy_registry_is_waited_for(fake: FakeRegistry, tmp_path: Path) -> None:
    fake.faults.append(Fault("PUT", "/manifests/", reply=error(429, "BUSY", Retry_After="3")))
    waits = Waits()
    with open_registry(fake.host, waits=waits) as registry:
        push(registry, Reference(fake.host, "team/dag", "1"), make_image(tmp_path))
    assert waits.seconds == [3.0]
