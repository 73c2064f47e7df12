"""What every registry does for the client. A module of tests gives the fixture ``host`` and
imports these; names of repositories are new in each test."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
from leoflow_builder.registry.descriptor import Descriptor, Index, parse_manifest
from leoflow_builder.registry.download import blob_path
from leoflow_builder.registry.failure import (
    NotInRegistry,
    PlatformMissing,
    Refused,
)
from leoflow_builder.registry.pull import pull, resolve
from leoflow_builder.registry.push import push
from leoflow_builder.registry.reference import Reference
from registry_sample import (
    described,
    make_blob,
    make_image,
    make_index,
    open_registry,
    random_bytes,
)

AMD64 = "linux/amd64"


def new_reference(host: str, tag: str | None = "1") -> Reference:
    """Name an image that nobody has pushed."""
    return Reference(host, f"team/{uuid.uuid4().hex}", tag)


class RegistryContract:
    """Tests of one behaviour each, for any registry."""

    def test_what_is_pushed_can_be_pulled(self, host: str, tmp_path: Path) -> None:
        image = make_image(tmp_path, (b"", b"base", random_bytes(), b"dag"))
        reference = new_reference(host)
        with open_registry(host) as registry:
            pushed = push(registry, reference, image)
            pulled = pull(registry, reference, AMD64, tmp_path / "pulled")
        assert pulled.manifest.content == image.top.content
        assert pulled.reference.digest == pushed.reference.digest == image.top.digest
        for blob in image.blobs:
            copy = blob_path(tmp_path / "pulled", blob.digest)
            assert copy.read_bytes() == blob.path.read_bytes()

    def test_a_second_push_sends_no_blob(self, host: str, tmp_path: Path) -> None:
        image = make_image(tmp_path)
        reference = new_reference(host)
        with open_registry(host) as registry:
            first = push(registry, reference, image)
            second = push(registry, reference, image)
        assert (first.blobs_sent, first.blobs_skipped) == (4, 0)
        assert (second.blobs_sent, second.blobs_skipped, second.sent_bytes) == (0, 4, 0)

    def test_after_a_change_of_code_only_its_layer_is_sent(self, host: str, tmp_path: Path) -> None:
        before = make_image(tmp_path, (random_bytes(), b"dag 1"))
        after = make_image(tmp_path, (before.blobs[0].path.read_bytes(), b"dag 2"))
        reference = new_reference(host)
        with open_registry(host) as registry:
            push(registry, reference, before)
            pushed = push(registry, reference, after)
            assert registry.manifest(reference).digest == after.top.digest
        assert pushed.blobs_sent == 2
        assert pushed.sent_bytes == sum(blob.size_bytes for blob in after.blobs[1:])

    def test_an_index_is_resolved_for_a_platform(self, host: str, tmp_path: Path) -> None:
        image = make_index(tmp_path)
        reference = new_reference(host)
        with open_registry(host) as registry:
            push(registry, reference, image)
            fetched = registry.manifest(reference)
            found = resolve(registry, reference, "linux/arm64")
            with pytest.raises(PlatformMissing, match="It has 'linux/amd64', 'linux/arm64'"):
                resolve(registry, reference, "linux/riscv64")
        assert isinstance(parse_manifest(*_fields(fetched)), Index)
        assert found.digest == image.manifests[1].digest

    def test_a_digest_alone_is_enough(self, host: str, tmp_path: Path) -> None:
        image = make_image(tmp_path)
        reference = new_reference(host, tag=None)
        with open_registry(host) as registry:
            pushed = push(registry, reference, image)
            assert registry.has_manifest(pushed.reference)
            assert registry.manifest(pushed.reference).content == image.top.content

    def test_a_blob_is_mounted_from_another_repository(self, host: str, tmp_path: Path) -> None:
        source, target = new_reference(host), new_reference(host)
        blob = make_blob(tmp_path, random_bytes())
        mounted = make_blob(tmp_path, blob.path.read_bytes(), mount_from=source.repository)
        with open_registry(host) as registry:
            assert registry.push_blob(source.repository, blob) == "sent"
            assert registry.push_blob(target.repository, mounted) == "mounted"
            assert registry.push_blob(target.repository, mounted) == "present"
            assert registry.has_blob(target.repository, blob.digest)

    def test_a_blob_that_the_source_lacks_is_sent(self, host: str, tmp_path: Path) -> None:
        source, target = new_reference(host), new_reference(host)
        blob = make_blob(tmp_path, b"layer", mount_from=source.repository)
        with open_registry(host) as registry:
            assert registry.push_blob(target.repository, blob) == "sent"

    def test_what_is_not_there_is_said_so(self, host: str, tmp_path: Path) -> None:
        reference = new_reference(host)
        digest = "sha256:" + "0" * 64
        with open_registry(host) as registry:
            assert not registry.has_manifest(reference)
            assert not registry.has_blob(reference.repository, digest)
            with pytest.raises(NotInRegistry, match=f"the manifest of '{reference}'.*not pushed"):
                registry.manifest(reference)
            blob = Descriptor("", digest, 1)
            with pytest.raises(NotInRegistry, match=f"the blob '{digest}'"):
                registry.blob(reference.repository, blob, tmp_path / "blob")
        assert list(tmp_path.iterdir()) == []

    def test_a_manifest_without_its_blobs_is_refused(self, host: str, tmp_path: Path) -> None:
        image = make_image(tmp_path)
        reference = new_reference(host)
        with open_registry(host) as registry:
            with pytest.raises(Refused, match="MANIFEST_BLOB_UNKNOWN"):
                registry.push_manifest(reference, image.top)
            assert not registry.has_manifest(reference)

    def test_a_blob_is_fetched_with_progress(self, host: str, tmp_path: Path) -> None:
        repository = new_reference(host).repository
        blob = make_blob(tmp_path, random_bytes())
        told: list[tuple[str, int, int]] = []
        with open_registry(host) as registry:
            registry.push_blob(repository, blob)
            descriptor = Descriptor(blob.media_type, blob.digest, described(blob)["size"])
            registry.blob(repository, descriptor, tmp_path / "copy", lambda *it: told.append(it))
        assert (tmp_path / "copy").read_bytes() == blob.path.read_bytes()
        assert told[-1] == (blob.digest, blob.size_bytes, blob.size_bytes)
        assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)


def _fields(fetched: object) -> tuple[bytes, str, str]:
    return (fetched.content, fetched.media_type, fetched.digest)  # type: ignore[attr-defined]
